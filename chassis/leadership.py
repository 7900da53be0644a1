"""Owns which relay of a database is active: the one whose connection holds an advisory lock.

The lock ends with its connection, so all work that needs it goes over that connection: a relay that has lost the lock
cannot mark anything. A relay that is frozen keeps its connection, and with it the lock, for as long as the kernel
lives; whoever waits for the lock sees that its holder has been silent for too long and ends the holder's connection.

What a frozen relay was about to publish when it froze is recognised as a copy by the stream, if it wakes within the
stream's duplicate window; a count of its own is refused where there is a newer one. If it wakes later, nats-server has
closed its connection: it does so with a client that answered no ping for some minutes (2 minutes, 2 outstanding), which
is less than that window.
"""

import contextlib
from collections.abc import AsyncIterator

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

log = structlog.get_logger(__name__)

LOCK = 0x74616E64656D
"""The key of the advisory lock; one a database."""

SILENCE = 3.0
"""Seconds without a statement after which the holder counts as frozen. An active relay looks at its table ten times a
second, and waits for the stream at most 2 s."""

_TRY = text("SELECT pg_try_advisory_lock(:key)")

_WAIT_FOR_NO_DISK = text("SET synchronous_commit = off")

_DEPOSE = text(
    "SELECT pg_terminate_backend(holder.pid) FROM pg_locks"
    " JOIN pg_stat_activity AS holder ON holder.pid = pg_locks.pid"
    " WHERE pg_locks.locktype = 'advisory' AND pg_locks.granted AND pg_locks.objsubid = 1"
    " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (pg_locks.classid::bigint << 32) + pg_locks.objid::bigint = :key"
    " AND holder.state_change < clock_timestamp() - make_interval(secs => :silence)"
)


@contextlib.asynccontextmanager
async def leadership(engine: AsyncEngine) -> AsyncIterator[AsyncConnection | None]:
    """The connection that holds the lock, or None while somebody else has it. It is closed at the end.

    `engine` has PostgreSQL commit each statement by itself. Here none of them waits for the disk: see
    docs/decisions/0018.
    """
    async with engine.connect() as connection:
        try:
            held = await connection.scalar(_TRY, {"key": LOCK})
            if not held and await connection.scalar(_DEPOSE, {"key": LOCK, "silence": SILENCE}):
                log.warning("the active relay has been silent for too long; its connection was ended")
                held = await connection.scalar(_TRY, {"key": LOCK})
            if held:
                await connection.execute(_WAIT_FOR_NO_DISK)
            yield connection if held else None
        finally:
            await connection.invalidate()  # back in the pool it would keep the lock
