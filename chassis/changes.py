"""Owns captured changes: reading, marking, burying and forgetting the rows of `changes`, and what they mean."""

import datetime as dt
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import TextualSelect, column, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.publisher import Message


@dataclass(frozen=True, slots=True)
class Change:
    """One captured row change.

    Attributes:
        row: the row after it, or the last one in case of a delete.
        again: it was published before, or may have been, and the stream has lost it.
        traceparent: the trace that it belongs to, if that is recorded.
        context: what the database knew of it besides when the change was read; see `Interpreter`.
    """

    id: int
    event_id: UUID
    table: str
    op: str
    row: dict[str, Any]
    at: dt.datetime
    again: bool
    traceparent: str | None
    context: Any


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits.

    Attributes:
        waiting: changes that are not in the stream yet, counted up to `COUNTED_MAX`.
        oldest: for how many seconds the first of them has been there; 0 if there is none.
        dead: changes that could not be published.
    """

    waiting: int
    oldest: float
    dead: int


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a change is told to the world as: messages in order, or the reason why that is not possible."""

    change: Change
    messages: tuple[Message, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A service's mapping.

    Attributes:
        context: an SQL expression over the `change` that is read, for what else is needed to interpret it. It is part
            of the statement that reads the changes: one round trip, and one snapshot for all of it.
        interpret: gives one meaning for each of the changes that were read together, in the same order. A change that
            it cannot map gets an error.
    """

    context: str
    interpret: Callable[[Sequence[Change]], Sequence[Meaning]]


def meaning_of(change: Change, interpret: Callable[[Change], Sequence[Message]]) -> Meaning:
    """The meaning of one change; whatever `interpret` raises becomes its error."""
    try:
        return Meaning(change, tuple(interpret(change)))
    except Exception as error:  # noqa: BLE001 - one unreadable row must not stop what is behind it
        return Meaning(change, error=f"{type(error).__name__}: {error}")


_UNPUBLISHED = "WHERE seq IS NULL ORDER BY id LIMIT :limit"

_ONE = "WHERE id = :id"

NO_CONTEXT = "NULL"

COUNTED_MAX = 100_000
"""Waiting changes that are counted: some 20 ms. Who has more knows enough."""

_BACKLOG = text(
    "SELECT (SELECT count(*) FROM (SELECT FROM changes WHERE seq IS NULL LIMIT :most) AS waiting),"
    " coalesce((SELECT extract(epoch FROM clock_timestamp() - at)::float8 FROM changes WHERE seq IS NULL"
    " ORDER BY id LIMIT 1), 0),"
    " (SELECT count(*) FROM dead_changes)"
)

_MARK = text(
    "UPDATE changes SET seq = acked.seq"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:seqs AS bigint[])) AS acked (id, seq)"
    " WHERE changes.id = acked.id"
)

_BURY = text(
    "WITH dead AS (DELETE FROM changes WHERE id = :id RETURNING id, event_id, table_name, op, row, at)"
    " INSERT INTO dead_changes (id, event_id, table_name, op, row, at, error)"
    " SELECT id, event_id, table_name, op, row, at, :error FROM dead"
)

_FORGET = text(
    "DELETE FROM changes WHERE id IN"
    " (SELECT id FROM changes WHERE seq IS NOT NULL AND at < now() - CAST(:keep AS interval) LIMIT :limit)"
)

_LATEST = (
    "WHERE id = (SELECT id FROM (SELECT id, seq FROM changes WHERE seq > 0 ORDER BY id DESC LIMIT 1000) AS recent"
    " ORDER BY seq DESC LIMIT 1)"
)

_BEFORE_LATEST = text(
    "SELECT coalesce(min(seq), 0) FROM (SELECT seq FROM changes WHERE seq > 0 ORDER BY id DESC LIMIT 1000) AS recent"
)

_BETWEEN = (
    "WHERE seq > :low AND seq < :high"
    " ORDER BY seq LIMIT 1 OFFSET (SELECT count(*) / 2 FROM changes WHERE seq > :low AND seq < :high)"
)

_AGAIN = text("UPDATE changes SET seq = NULL, again = true WHERE seq > :after")

_COPIES = text("UPDATE changes SET again = true WHERE seq IS NULL")


_COLUMNS = ("id", "event_id", "table_name", "op", "row", "at", "again", "traceparent", "context", "seq")


@functools.cache
def _reading(which: str, context: str) -> TextualSelect:
    """The statement that reads some changes in the order of their ids, each with its context and its mark.

    Its columns are named, or SQLAlchemy would find out anew each time which have come.
    """
    return text(
        f"SELECT id, event_id, table_name, op, row, at, again, traceparent, ({context}), seq"  # noqa: S608 - both are ours
        f" FROM (SELECT * FROM changes {which}) AS change ORDER BY id"
    ).columns(*map(column, _COLUMNS))


async def _read(connection: AsyncConnection, which: str, context: str, **values: Any) -> list[tuple[Change, int]]:
    """The changes, each with its mark, which only those have that are published."""
    rows: Sequence[Sequence[Any]] = (await connection.execute(_reading(which, context), values)).all()
    return [(Change(*row[:-1]), row[-1]) for row in rows]


async def unpublished(connection: AsyncConnection, context: str, *, limit: int) -> list[Change]:
    """The changes that are not marked yet, by id. Never "after the last id": ids become visible out of order."""
    return [change for change, _ in await _read(connection, _UNPUBLISHED, context, limit=limit)]


async def one(connection: AsyncConnection, context: str, change: int) -> Change:
    """The change with an id."""
    [(found, _)] = await _read(connection, _ONE, context, id=change)
    return found


async def backlog(connection: AsyncConnection) -> Waiting:
    """How much waits now."""
    return Waiting(*(await connection.execute(_BACKLOG, {"most": COUNTED_MAX})).one())


async def mark(connection: AsyncConnection, published: Sequence[tuple[int, int]]) -> None:
    """Record for each `(change id, stream sequence)` that it is in the stream."""
    ids, seqs = [change for change, _ in published], [seq for _, seq in published]
    await connection.execute(_MARK, {"ids": ids, "seqs": seqs})


async def bury(connection: AsyncConnection, change: Change, error: str) -> None:
    """Move a change that has no meaning to `dead_changes`."""
    await connection.execute(_BURY, {"id": change.id, "error": error})


async def forget(connection: AsyncConnection, *, keep: dt.timedelta, limit: int) -> int:
    """Delete published changes that are older than `keep`, at most `limit`; returns how many."""
    return (await connection.execute(_FORGET, {"keep": keep, "limit": limit})).rowcount


async def published_latest(connection: AsyncConnection, context: str) -> tuple[Change, int] | None:
    """The published change that stands last in the stream, with its sequence there."""
    return next(iter(await _read(connection, _LATEST, context)), None)


async def published_before_latest(connection: AsyncConnection) -> int:
    """A sequence behind which stands whatever was published together with the latest published changes, or later."""
    return await connection.scalar(_BEFORE_LATEST) or 0


async def published_between(
    connection: AsyncConnection, context: str, low: int, high: int
) -> tuple[Change, int] | None:
    """The published change in the middle of those with a sequence above `low` and below `high`."""
    return next(iter(await _read(connection, _BETWEEN, context, low=low, high=high)), None)


async def publish_again(connection: AsyncConnection, *, after: int) -> int:
    """Have every change published again that was published behind a sequence; returns how many that are."""
    return (await connection.execute(_AGAIN, {"after": after})).rowcount


async def take_for_copies(connection: AsyncConnection) -> int:
    """Take every change that waits for one that may have been published before; returns how many wait."""
    return (await connection.execute(_COPIES)).rowcount
