"""Owns the tables. The rules that the database can keep are kept there; see the migrations."""

import datetime as dt
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import FetchedValue
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Table(DeclarativeBase):
    """Every table of this service."""

    type_annotation_map: ClassVar = {dt.datetime: TIMESTAMP(timezone=True), dict[str, Any]: JSONB}


class InboxItem(Table):
    """One entry of one person's inbox. Its rows are captured; the database keeps `read_at` and `updated_at`."""

    __tablename__ = "inbox_items"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=FetchedValue())
    recipient_id: Mapped[str]
    sender_id: Mapped[str | None]
    kind: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    data: Mapped[dict[str, Any]]
    is_read: Mapped[bool] = mapped_column(server_default=FetchedValue())
    read_at: Mapped[dt.datetime | None] = mapped_column(server_default=FetchedValue())
    created_at: Mapped[dt.datetime] = mapped_column(server_default=FetchedValue())
    updated_at: Mapped[dt.datetime] = mapped_column(server_default=FetchedValue())
    source_event: Mapped[str | None]
    """The id of the event that the item was made from; unique, so that a second delivery makes no second item."""
