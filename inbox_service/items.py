"""Owns the rules of the inbox: whose items are whose, and what can be done to them."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import BadRequest, Unprocessable
from chassis.paging import Page, cursor_of, key_of
from contracts.events import InboxItem
from inbox_service import queries
from inbox_service.errors import UnknownItem

TITLE_MAX = 200
BODY_MAX = 4_000
"""Characters. The database refuses more, so that every item fits into one event."""

DATA_MAX = 32 * 1024
"""Bytes of `data` as JSON."""


class InboxPage(Page[InboxItem]):
    """A part of the inbox, with how many unread items there are in all of it."""

    unread_count: int


async def listed(db: AsyncConnection, user: str, *, is_read: bool | None, before: UUID | None, limit: int) -> InboxPage:
    """The items of `user`, the newest first."""
    rows = await queries.items_of(db, user, is_read=is_read, before=before, limit=limit + 1)
    more = cursor_of(str(rows[limit - 1].id)) if len(rows) > limit else None
    unread = await unread_count(db, user)
    return InboxPage(items=[_view(row) for row in rows[:limit]], next_cursor=more, unread_count=unread)


async def one(db: AsyncConnection, user: str, item: UUID) -> InboxItem:
    row = await queries.item_of(db, user, item)
    if row is None:
        raise UnknownItem
    return _view(row)


async def create(db: AsyncConnection, fields: dict[str, Any]) -> InboxItem:
    """Put a new item into somebody's inbox."""
    try:
        return _view(await queries.create_item(db, fields))
    except IntegrityError as error:  # what only the database can measure: it writes 1e300 out in full
        detail = f"must be at most {DATA_MAX} bytes of JSON, and have no number beyond 1e308"
        raise Unprocessable(detail, field="data") from error


async def mark_read(db: AsyncConnection, user: str, item: UUID) -> InboxItem:
    """Mark an item as read. To do it twice changes nothing."""
    row = await queries.mark_read(db, user, item)
    if row is None:
        raise UnknownItem
    return _view(row)


async def mark_all_read(db: AsyncConnection, user: str, through: UUID) -> int:
    """Mark everything up to `through` as read, but nothing that came later; returns how many items changed."""
    if await queries.is_foreign(db, user, through):
        raise UnknownItem
    return await queries.mark_read_through(db, user, through)


async def remove(db: AsyncConnection, user: str, item: UUID) -> None:
    if not await queries.remove_item(db, user, item):
        raise UnknownItem


async def unread_count(db: AsyncConnection, user: str) -> int:
    return await queries.unread_count(db, user)


def behind(cursor: str | None) -> UUID | None:
    """The item behind which the page begins that a cursor stands for.

    Raises:
        BadRequest: it is no cursor of this list.
    """
    key = key_of(cursor, 1)
    try:
        return UUID(key[0]) if key is not None else None
    except ValueError as error:
        raise BadRequest("not a cursor of this list: pass `next_cursor` unchanged", field="cursor") from error


def _view(row: Row[Any]) -> InboxItem:
    return InboxItem.model_validate(row, from_attributes=True)
