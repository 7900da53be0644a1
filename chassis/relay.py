"""Owns carrying committed changes from the database to the stream: every one, in order, once.

The database is the truth. A change is marked only after the stream has acknowledged all that it means, so a relay
that dies anywhere leaves behind at worst something published but not marked, which the next one publishes again
under the same ids and the stream recognises.
"""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Literal

import structlog
from nats.aio.msg import Msg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import changes
from chassis.changes import Change, Interpret, Meaning
from chassis.database import Database, is_unavailable
from chassis.publisher import Publisher
from chassis.streams import Stream

log = structlog.get_logger(__name__)

BATCH = 500
"""Changes read at once. With two messages a change that fills one atomic batch of the stream (1,000)."""

POLL = 0.1
"""Seconds between looks at the table when nobody wakes the relay: how soon a line typed into psql is noticed."""

STAND_BY = 1.0
"""Seconds between attempts of a waiting relay to take over."""

RETRY = 0.25
"""Seconds before the same changes are tried again after the bus or the database failed."""

KEEP = dt.timedelta(days=1)
"""How long published changes are kept, to be published again should the stream lose them."""

SWEEP = 60.0
"""Seconds between deletions of changes that are older than that."""

FORGET_AT_ONCE = 5_000
"""Rows a deletion; more would hold up the relay."""

LOCK = 0x74616E64656D
"""The advisory lock that the active relay holds: one a database."""

NOTHING_TO_PUBLISH = 0
"""The mark of a change that means nothing to the world; the stream's own sequences start at 1."""


class Relay:
    """Publishes what a database captured. One a process; of all that share a database one is active."""

    name = "relay"

    def __init__(
        self,
        database: Database,
        stream: Stream,
        *,
        revision: str,
        nudge: str,
        interpret: Interpret,
        keep: dt.timedelta = KEEP,
    ) -> None:
        self._database = database
        self._revision = revision
        self._stream = stream
        self._nudge = nudge
        self._interpret = interpret
        self._keep = keep
        self._publisher = Publisher(stream)
        self._woken = asyncio.Event()
        self._forgotten_at = 0.0
        self.active = False

    def wake(self) -> None:
        """Say that something was committed. Reaches the active relay wherever it runs."""
        self._woken.set()

    async def run(self) -> None:
        """Carry changes whenever it is this relay's turn, until cancelled."""
        await self._database.wait_until_ready(self._revision)
        await self._stream.wait()
        await self._stream.bus.client.subscribe(self._nudge, cb=self._nudged)
        while True:
            try:
                async with self._lock() as connection:
                    if connection is not None:
                        await self._carry(connection)
            except Exception as error:
                if not is_unavailable(error):
                    raise
                log.warning("the database is away; the relay waits", error=str(error))
            if await self._wait(STAND_BY):
                await self._stream.bus.nudge(self._nudge)

    @contextlib.asynccontextmanager
    async def _lock(self) -> AsyncIterator[AsyncConnection | None]:
        """The connection that holds the lock, or None while another relay has it.

        All reading and marking goes over this connection: when it is lost, so is the lock.
        """
        async with self._database.engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            try:
                async with connection.begin():
                    locked = await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK})
                self.active = bool(locked)
                yield connection if locked else None
            finally:
                self.active = False
                await connection.invalidate()  # back in the pool it would keep the lock

    async def _carry(self, connection: AsyncConnection) -> None:
        log.info("this relay is active")
        while True:
            self._woken.clear()
            match await self._carry_batch(connection):
                case "more":
                    continue
                case "failed":
                    await asyncio.sleep(RETRY)
                case "done":
                    await self._forget(connection)
                    await self._wait(POLL)

    async def _carry_batch(self, connection: AsyncConnection) -> Literal["more", "done", "failed"]:
        batch, meanings = await self._read(connection)
        if not batch:
            return "done"
        messages = [message for meaning in meanings for message in meaning.messages]
        outcome = await self._publisher.publish(messages)
        async with connection.begin():
            if published := list(_published(meanings, outcome.sequences)):
                await changes.mark(connection, published)
            for meaning in meanings:
                if meaning.error is not None:
                    log.error("a change cannot be published", change=meaning.change.id, error=meaning.error)
                    await changes.bury(connection, meaning.change, meaning.error)
        if outcome.failure is not None:
            log.warning("publishing failed; the changes wait", waiting=len(batch), reason=outcome.failure)
            return "failed"
        return "more" if len(batch) == BATCH else "done"

    async def _read(self, connection: AsyncConnection) -> tuple[Sequence[Change], Sequence[Meaning]]:
        """The next changes and what they mean. If that fails for all at once, find the one that it fails for.

        One transaction for both, since every round trip is waited for by whoever is to get the event; each of the
        second attempts has its own, as a statement that failed has spoiled the first. A savepoint would cost four.
        """
        batch: Sequence[Change] = []
        try:
            async with connection.begin():
                batch = await changes.unpublished(connection, limit=BATCH)
                meanings = await self._interpret(connection, batch) if batch else []
        except Exception as error:
            if not batch or is_unavailable(error):
                raise
            meanings = [await self._meaning(connection, change) for change in batch]
        return batch, [self._checked(meaning) for meaning in meanings]

    async def _meaning(self, connection: AsyncConnection, change: Change) -> Meaning:
        """What one change means."""
        try:
            async with connection.begin():
                [meaning] = await self._interpret(connection, [change])
        except Exception as error:
            if is_unavailable(error):
                raise
            return Meaning(change, error=f"{type(error).__name__}: {error}")
        return meaning

    def _checked(self, meaning: Meaning) -> Meaning:
        for message in meaning.messages:
            if message.size > self._publisher.max_bytes:
                error = f"{message.size} bytes for {message.subject}; NATS takes {self._publisher.max_bytes}"
                return Meaning(meaning.change, error=error)
        return meaning

    async def _forget(self, connection: AsyncConnection) -> None:
        if time.monotonic() - self._forgotten_at < SWEEP:
            return
        async with connection.begin():
            forgotten = await changes.forget(connection, keep=self._keep, limit=FORGET_AT_ONCE)
        if forgotten < FORGET_AT_ONCE:
            self._forgotten_at = time.monotonic()

    async def _wait(self, seconds: float) -> bool:
        """Wait to be woken, at most so long; whether that happened."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    async def _nudged(self, _: Msg) -> None:
        if self.active:
            self.wake()


def _published(meanings: Sequence[Meaning], sequences: Sequence[int]) -> Iterator[tuple[int, int]]:
    """`(change id, sequence of its last message)` for each change whose messages are all stored."""
    stored = 0
    for meaning in meanings:
        stored += len(meaning.messages)
        if stored > len(sequences):
            return
        if meaning.error is None:
            yield meaning.change.id, sequences[stored - 1] if meaning.messages else NOTHING_TO_PUBLISH
