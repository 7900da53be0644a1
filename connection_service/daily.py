"""Owns the rules of the daily question: one a partnership and day, one answer each."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import BadRequest
from chassis.paging import Page, cursor_of, key_of
from connection_service import queries, views
from connection_service.errors import AlreadyAnswered, NoPartnership, PartnershipEnded, UnknownConnection
from connection_service.questions import next_question
from contracts import events

Catalogue = Mapping[str, str]

Place = tuple[dt.date, UUID]
"""In a list of daily connections, the latest first: date and id of one, which what follows is behind."""


async def today(db: AsyncConnection, user: str, catalogue: Catalogue, *, now: dt.datetime) -> events.DailyConnection:
    """Today's question of the partnership that `user` is in."""
    partnership = await queries.partnership_of(db, user)
    if partnership is None:
        raise NoPartnership
    row = await _connection_today(db, partnership, catalogue, now)
    return (await _with_answers(db, [row]))[0]


async def history(db: AsyncConnection, user: str, *, before: Place | None, limit: int) -> Page[events.DailyConnection]:
    """Everything that `user` was ever asked together with somebody, the latest first."""
    rows = await queries.history(db, user, before=before, limit=limit + 1)
    return await _page(db, rows, limit)


async def suggestions(
    db: AsyncConnection, user: str, catalogue: Catalogue, *, before: Place | None, limit: int, now: dt.datetime
) -> Page[events.DailyConnection]:
    """What `user` could answer now: open questions, today's among them, the latest first."""
    partnership = await queries.partnership_of(db, user)
    if partnership is None:
        return Page(items=[])
    await _connection_today(db, partnership, catalogue, now)
    rows = await queries.unanswered(db, user, partnership.id, before=before, limit=limit + 1)
    return await _page(db, rows, limit)


async def answer(db: AsyncConnection, user: str, connection: UUID, text: str) -> events.Answer:
    """Record the answer of `user`. That it is published follows from the row."""
    row = await queries.create_answer(db, connection, user, text)
    if row is None:
        raise UnknownConnection
    if row.ended_at is not None:
        raise PartnershipEnded
    if row.id is None:
        raise AlreadyAnswered((await queries.answer_of(db, connection, user)).id)
    return views.answer(row)


def behind(cursor: str | None) -> Place | None:
    """Where the page begins that a cursor stands for.

    Raises:
        BadRequest: it is no cursor of these lists.
    """
    key = key_of(cursor, 2)
    if key is None:
        return None
    try:
        return dt.date.fromisoformat(key[0]), UUID(key[1])
    except ValueError as error:
        raise BadRequest("not a cursor of this list: pass `next_cursor` unchanged", field="cursor") from error


async def _connection_today(
    db: AsyncConnection, partnership: Row[Any], catalogue: Catalogue, now: dt.datetime
) -> Row[Any]:
    date = now.astimezone(ZoneInfo(partnership.time_zone)).date()
    row = await queries.connection_on(db, partnership.id, date)
    if row is not None:
        return row
    # One at a time: at midnight two requests that do not see each other's day would ask the same question on both.
    await queries.hold_partnership(db, partnership.id)
    row = await queries.connection_on(db, partnership.id, date)
    if row is not None:
        return row
    question = next_question(catalogue, await queries.questions_used(db, partnership.id), partnership.id)
    return await queries.create_connection(db, partnership.id, date, question_id=question, question=catalogue[question])


async def _with_answers(db: AsyncConnection, rows: Sequence[Row[Any]]) -> list[events.DailyConnection]:
    return views.daily_connections(rows, await queries.answers_to(db, [row.id for row in rows]))


async def _page(db: AsyncConnection, rows: Sequence[Row[Any]], limit: int) -> Page[events.DailyConnection]:
    """A page from up to `limit + 1` rows, of which the last one only tells that there are more."""
    page = rows[:limit]
    more = cursor_of(page[-1].date.isoformat(), str(page[-1].id)) if len(rows) > limit else None
    return Page(items=await _with_answers(db, page), next_cursor=more)
