"""Owns the rules of the inbox: whose items are whose, and what can be done to them."""

from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import BadRequest, Unprocessable
from chassis.paging import Page, cursor_of, key_of
from contracts.events import InboxItem
from inbox_service import models, queries
from inbox_service.errors import UnknownItem

TITLE_MAX = 200
BODY_MAX = 4_000
"""Characters. The database refuses more, so that every item fits into one event."""

DATA_MAX = 32 * 1024
"""Bytes of `data` as JSON."""


class InboxPage(Page[InboxItem]):
    """A part of the inbox, with how many unread items there are in all of it."""

    unread_count: int


async def listed(
    session: AsyncSession, user: str, *, is_read: bool | None, cursor: str | None, limit: int
) -> InboxPage:
    """The items of `user`, the newest first."""
    rows = await queries.items_of(session, user, is_read=is_read, before=_before(cursor), limit=limit + 1)
    more = cursor_of(str(rows[limit - 1].id)) if len(rows) > limit else None
    unread = await unread_count(session, user)
    return InboxPage(items=[_view(row) for row in rows[:limit]], next_cursor=more, unread_count=unread)


async def one(session: AsyncSession, user: str, item: UUID) -> InboxItem:
    row = await queries.item_of(session, user, item)
    if row is None:
        raise UnknownItem
    return _view(row)


async def create(session: AsyncSession, fields: dict[str, Any]) -> InboxItem:
    """Put a new item into somebody's inbox."""
    try:
        return _view(await queries.create_item(session, fields))
    except IntegrityError as error:  # what only the database can measure: it writes 1e300 out in full
        detail = f"must be at most {DATA_MAX} bytes of JSON, and have no number beyond 1e308"
        raise Unprocessable(detail, field="data") from error


async def mark_read(session: AsyncSession, user: str, item: UUID) -> InboxItem:
    """Mark an item as read. To do it twice changes nothing."""
    row = await queries.mark_read(session, user, item)
    if row is None:
        raise UnknownItem
    return _view(row)


async def mark_all_read(session: AsyncSession, user: str, through: UUID) -> int:
    """Mark everything up to `through` as read, but nothing that came later; returns how many items changed."""
    if await queries.is_foreign(session, user, through):
        raise UnknownItem
    return await queries.mark_read_through(session, user, through)


async def remove(session: AsyncSession, user: str, item: UUID) -> None:
    if not await queries.remove_item(session, user, item):
        raise UnknownItem


async def unread_count(session: AsyncSession, user: str) -> int:
    return await queries.unread_count(session, user)


def _view(row: models.InboxItem) -> InboxItem:
    return InboxItem.model_validate(row, from_attributes=True)


def _before(cursor: str | None) -> UUID | None:
    key = key_of(cursor, 1)
    try:
        return UUID(key[0]) if key is not None else None
    except ValueError as error:
        raise BadRequest("not a cursor of this list: pass `next_cursor` unchanged", field="cursor") from error
