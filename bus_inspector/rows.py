"""Owns every SQL statement of the inspector; all of them only read."""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.leadership import LOCK


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far a database's relay is.

    Attributes:
        waiting: changes that are not in the stream yet, the first of which was made at `oldest`.
        published: where the last change that was published stands in the stream.
        dead: changes that mean nothing that could be published.
        relay: the process that publishes, as PostgreSQL knows it; None if there is none now.
        now: the database's time.
    """

    waiting: int
    oldest: dt.datetime | None
    published: int | None
    dead: int
    relay: str | None
    now: dt.datetime


@dataclass(frozen=True, slots=True)
class Captured:
    """A change in `changes`, or in `dead_changes`, where it has an `error`. `seq`: see `chassis/capture.py`."""

    id: int
    event_id: UUID
    table: str
    op: str
    row: dict[str, Any]
    at: dt.datetime
    seq: int | None
    again: bool
    error: str | None = None


_BACKLOG = text(
    "SELECT (SELECT count(*) FROM changes WHERE seq IS NULL), (SELECT min(at) FROM changes WHERE seq IS NULL),"
    " (SELECT max(seq) FROM changes), (SELECT count(*) FROM dead_changes),"
    " (SELECT coalesce(client_addr::text, 'local') || ' process ' || holder.pid FROM pg_locks"
    " JOIN pg_stat_activity AS holder ON holder.pid = pg_locks.pid"
    " WHERE pg_locks.locktype = 'advisory' AND pg_locks.granted AND pg_locks.objsubid = 1"
    " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (pg_locks.classid::bigint << 32) + pg_locks.objid::bigint = :lock LIMIT 1),"
    " clock_timestamp()"
)

_CAPTURED = "id, event_id, table_name, op, row, at, seq, again, CAST(NULL AS text)"
_DEAD = "id, event_id, table_name, op, row, at, CAST(NULL AS bigint), false, error"

_BY_ID = text(
    f"SELECT {_CAPTURED} FROM changes WHERE event_id = :id OR row->>'id' = CAST(:id AS text)"  # noqa: S608 - constants
    f" UNION ALL SELECT {_DEAD} FROM dead_changes WHERE event_id = :id OR row->>'id' = CAST(:id AS text)"
    " ORDER BY 1"
)

_AT = text(f"SELECT {_CAPTURED} FROM changes WHERE at = :at UNION ALL SELECT {_DEAD} FROM dead_changes WHERE at = :at")  # noqa: S608 - constants

_DEAD_CHANGES = text(f"SELECT {_DEAD}, died_at FROM dead_changes ORDER BY id")  # noqa: S608 - constants

_ITEM = text("SELECT to_jsonb(inbox_items) FROM inbox_items WHERE id = :id")
_ITEM_FROM = text("SELECT to_jsonb(inbox_items) FROM inbox_items WHERE source_event = :event")
_ITEM_MADE = text("SELECT EXISTS (SELECT FROM source_events WHERE id = :event)")

_ITEMS_OF = text("SELECT to_jsonb(inbox_items) FROM inbox_items WHERE recipient_id = :recipient")
_ALL_ITEMS = text("SELECT to_jsonb(inbox_items) FROM inbox_items")

_MOVING = text(
    "SELECT row->>'id', row->>'recipient_id' FROM changes WHERE seq IS NULL"
    " UNION SELECT row->>'id', row->>'recipient_id' FROM dead_changes"
)

_MEMBERS = text(
    "SELECT user_id FROM members JOIN daily_connections USING (partnership_id) WHERE daily_connections.id = :connection"
)

_REVISION = text("SELECT version_num FROM alembic_version")

_UNCAPTURED = text(
    "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE nspname = 'public' AND relkind = 'r' AND relname = ANY(CAST(:tables AS text[])) AND NOT EXISTS"
    " (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgname = 'capture_change' AND tgenabled IN ('O', 'A'))"
    " ORDER BY relname"
)


async def backlog(connection: AsyncConnection) -> Backlog:
    return Backlog(*(await connection.execute(_BACKLOG, {"lock": LOCK})).one())


async def changes_of(connection: AsyncConnection, which: UUID) -> list[Captured]:
    """The changes with this event id, or of the row with this id; by id. The relay forgets them after a day."""
    return [Captured(*row) for row in await connection.execute(_BY_ID, {"id": which})]


async def changes_at(connection: AsyncConnection, at: dt.datetime) -> list[Captured]:
    """The changes that were made at this very moment: an event tells it in `ce-time`."""
    return [Captured(*row) for row in await connection.execute(_AT, {"at": at})]


async def dead_changes(connection: AsyncConnection) -> list[tuple[Captured, dt.datetime]]:
    """What means nothing that could be published, and since when."""
    return [(Captured(*row[:-1]), row[-1]) for row in await connection.execute(_DEAD_CHANGES)]


async def item(connection: AsyncConnection, which: UUID) -> dict[str, Any] | None:
    """An inbox item as it is now, as JSON."""
    found: dict[str, Any] | None = await connection.scalar(_ITEM, {"id": which})
    return found


async def item_from(connection: AsyncConnection, event_id: str) -> dict[str, Any] | None:
    """The inbox item that was made from an event, if it is still there."""
    found: dict[str, Any] | None = await connection.scalar(_ITEM_FROM, {"event": event_id})
    return found


async def item_was_made(connection: AsyncConnection, event_id: str) -> bool:
    """Whether an inbox item was ever made from an event."""
    return bool(await connection.scalar(_ITEM_MADE, {"event": event_id}))


async def members_of(connection: AsyncConnection, daily_connection: str) -> Sequence[str]:
    """Whom the answers to one day's question are addressed to."""
    rows = await connection.scalars(_MEMBERS, {"connection": UUID(daily_connection)})
    return sorted(rows)


async def revision(connection: AsyncConnection) -> str | None:
    found: str | None = await connection.scalar(_REVISION)
    return found


async def uncaptured(connection: AsyncConnection, tables: Sequence[str]) -> list[str]:
    """Those of `tables` whose changes are not captured now."""
    return list(await connection.scalars(_UNCAPTURED, {"tables": list(tables)}))


async def items_of(connection: AsyncConnection, recipient: str) -> dict[str, dict[str, Any]]:
    """A user's items as they are now, as JSON by id."""
    rows = await connection.scalars(_ITEMS_OF, {"recipient": recipient})
    return {row["id"]: row for row in rows}


async def all_items(connection: AsyncConnection) -> AsyncIterator[dict[str, Any]]:
    """Every item of every inbox, as JSON."""
    async with connection.stream_scalars(_ALL_ITEMS) as rows:
        async for row in rows:
            yield row


async def moving_rows(connection: AsyncConnection) -> set[str]:
    """The ids of rows with changes that are not in the stream yet, or never will be, and of their recipients."""
    return {text for row in await connection.execute(_MOVING) for text in row if text is not None}
