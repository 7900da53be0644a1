"""Owns every SQL statement of this service. Nothing here decides, and nothing here commits.

The statements that an answer waits for are constants: SQLAlchemy takes longer to put one together than PostgreSQL to
execute it.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from inbox_service.models import InboxItem


async def items_of(
    db: AsyncConnection, recipient: str, *, is_read: bool | None, before: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """The items of `recipient`, the newest first."""
    page = select(InboxItem).where(InboxItem.recipient_id == recipient)
    if is_read is not None:
        page = page.where(InboxItem.is_read.is_(is_read))
    if before is not None:
        page = page.where(InboxItem.id < before)
    return (await db.execute(page.order_by(InboxItem.id.desc()).limit(limit))).all()


async def item_of(db: AsyncConnection, recipient: str, item: UUID) -> Row[Any] | None:
    theirs = select(InboxItem).where(InboxItem.id == item, InboxItem.recipient_id == recipient)
    return (await db.execute(theirs)).one_or_none()


async def is_foreign(db: AsyncConnection, recipient: str, item: UUID) -> bool:
    """Whether there is such an item and it is not `recipient`'s."""
    foreign = select(InboxItem.id).where(InboxItem.id == item, InboxItem.recipient_id != recipient)
    return await db.scalar(foreign) is not None


async def create_item(db: AsyncConnection, fields: dict[str, Any]) -> Row[Any]:
    return (await db.execute(insert(InboxItem).values(**fields).returning(InboxItem))).one()


_CREATE_FROM_EVENTS = insert(InboxItem).on_conflict_do_nothing(index_elements=[InboxItem.source_event])


async def create_items_from_events(db: AsyncConnection, items: Sequence[dict[str, Any]]) -> None:
    """Make each item, unless one was made from the same event before: all of them or none, also without a transaction,
    as asyncpg sends many rows as one implicit transaction."""
    await db.execute(_CREATE_FROM_EVENTS, items)


_MARK_READ = (
    update(InboxItem)
    .where(
        InboxItem.id == bindparam("item"),
        InboxItem.recipient_id == bindparam("recipient"),
        InboxItem.is_read.is_(False),
    )
    .values(is_read=True)
    .returning(InboxItem)
)


async def mark_read(db: AsyncConnection, recipient: str, item: UUID) -> Row[Any] | None:
    """The item, read now; None if `recipient` has no such item. One that was read before is not changed."""
    read = (await db.execute(_MARK_READ, {"item": item, "recipient": recipient})).one_or_none()
    return read if read is not None else await item_of(db, recipient, item)


async def mark_read_through(db: AsyncConnection, recipient: str, through: UUID) -> int:
    """Mark everything up to and including `through` as read, in one statement; returns how many that were."""
    unread = (
        update(InboxItem)
        .where(InboxItem.recipient_id == recipient, InboxItem.is_read.is_(False), InboxItem.id <= through)
        .values(is_read=True)
        .returning(InboxItem.id)
    )
    return len((await db.execute(unread)).all())


async def remove_item(db: AsyncConnection, recipient: str, item: UUID) -> bool:
    """Whether there was such an item."""
    removed = delete(InboxItem).where(InboxItem.id == item, InboxItem.recipient_id == recipient)
    return await db.scalar(removed.returning(InboxItem.id)) is not None


_UNREAD_COUNT = (
    select(func.count())
    .select_from(InboxItem)
    .where(InboxItem.recipient_id == bindparam("recipient"), InboxItem.is_read.is_(False))
)


async def unread_count(db: AsyncConnection, recipient: str) -> int:
    """How many unread items `recipient` has."""
    return (await db.execute(_UNREAD_COUNT, {"recipient": recipient})).scalar_one()


UNREAD_AFTER_CHANGE = """
CASE WHEN change.id = max(change.id) OVER (PARTITION BY change.row ->> 'recipient_id') THEN (
    SELECT count(*) FROM inbox_items WHERE recipient_id = change.row ->> 'recipient_id' AND NOT is_read
) END
"""
"""How many unread items the recipient of a change has now. It stands with the last change of each of those that are
read together, as it is counted once."""
