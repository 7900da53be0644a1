"""Owns the tables. The rules that the database can keep are kept there; see the migrations."""

import datetime as dt
from typing import ClassVar
from uuid import UUID

from sqlalchemy import FetchedValue, ForeignKey
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Table(DeclarativeBase):
    """Every table of this service."""

    type_annotation_map: ClassVar = {dt.datetime: TIMESTAMP(timezone=True)}


class Partnership(Table):
    """Two people who are connected, or were."""

    __tablename__ = "partnerships"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=FetchedValue())
    time_zone: Mapped[str]
    created_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]


class Member(Table):
    """One of the two. At most one row a user has no `left_at`. Its rows are captured, and publish the events."""

    __tablename__ = "members"

    partnership_id: Mapped[UUID] = mapped_column(ForeignKey(Partnership.id), primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    left_at: Mapped[dt.datetime | None]


class Invite(Table):
    """A code that makes whoever accepts it the partner of who made it."""

    __tablename__ = "invites"

    code: Mapped[str] = mapped_column(primary_key=True)
    inviter_id: Mapped[str]
    time_zone: Mapped[str]
    expires_at: Mapped[dt.datetime]
    accepted_at: Mapped[dt.datetime | None]


class DailyConnection(Table):
    """The question of one partnership on one day."""

    __tablename__ = "daily_connections"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=FetchedValue())
    partnership_id: Mapped[UUID] = mapped_column(ForeignKey(Partnership.id))
    date: Mapped[dt.date]
    question_id: Mapped[str]
    question: Mapped[str]


class Answer(Table):
    """What one of the two answered. Its rows are captured: inserting one is what publishes the event."""

    __tablename__ = "connection_answers"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=FetchedValue())
    connection_id: Mapped[UUID] = mapped_column(ForeignKey(DailyConnection.id))
    author_id: Mapped[str]
    text: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=FetchedValue())
