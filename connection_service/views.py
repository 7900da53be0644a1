"""Owns how rows look from outside."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Row

from contracts import events


class Invite(BaseModel):
    """A code to give to one's partner."""

    code: str
    expires_at: dt.datetime


def invite(row: Row[Any]) -> Invite:
    return Invite(code=row.code, expires_at=row.expires_at)


def partnership(row: Row[Any], members: Sequence[str]) -> events.Partnership:
    return events.Partnership(id=row.id, members=tuple(members), time_zone=row.time_zone, created_at=row.created_at)


def answer(row: Row[Any]) -> events.Answer:
    return events.Answer.model_validate(row, from_attributes=True)


def daily_connections(rows: Sequence[Row[Any]], answers: Iterable[Row[Any]]) -> list[events.DailyConnection]:
    """The connections with the answers that belong to each."""
    given: dict[UUID, list[events.Answer]] = {row.id: [] for row in rows}
    for each in answers:
        given[each.connection_id].append(answer(each))
    return [
        events.DailyConnection(
            id=row.id,
            partnership_id=row.partnership_id,
            date=row.date,
            question=row.question,
            answers=tuple(given[row.id]),
        )
        for row in rows
    ]
