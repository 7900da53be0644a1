"""Owns when committed changes are carried to the stream, and by which process: all of them, in order, once.

The database is the truth. A change is marked only after the stream has acknowledged all that it means, so a relay
that dies anywhere leaves behind at worst something published but not marked, which the next one publishes again
under the same ids and the stream recognises.
"""

import asyncio
import datetime as dt
import time

import structlog
from nats.aio.msg import Msg
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import backlog, changes
from chassis.audit import Audit
from chassis.backlog import Backlog
from chassis.carrier import Carrier
from chassis.changes import Interpreter
from chassis.database import Database, is_unavailable
from chassis.leadership import leadership
from chassis.streams import Stream

log = structlog.get_logger(__name__)

POLL = 0.1
"""Seconds between looks at the table when nobody wakes the relay: how soon a line typed into psql is noticed."""

STAND_BY = 1.0
"""Seconds between attempts of a waiting relay to take over."""

RETRY = 0.25
"""Seconds before the same changes are tried again after the bus or the database failed."""

AUDIT = 10.0
"""Seconds between looks whether the stream still holds what was published last."""

KEEP = dt.timedelta(days=1)
"""How long published changes are kept, to be published again should the stream lose them."""

SWEEP = 60.0
"""Seconds between deletions of changes that are older than that."""

FORGET_AT_ONCE = 5_000
"""Rows a deletion; more would hold up the relay."""


class Relay:
    """Publishes what a database captured. One a process; of all that share a database one is active.

    Attributes:
        active: whether it is this one.
    """

    name = "relay"

    def __init__(
        self,
        database: Database,
        stream: Stream,
        *,
        revision: str,
        nudge: str,
        subjects: str,
        interpreter: Interpreter,
        keep: dt.timedelta = KEEP,
        look_every: float = backlog.EVERY,
    ) -> None:
        """Put it together.

        Args:
            revision: the schema that the database must have.
            nudge: the subject on which other processes say that they have committed something.
            subjects: a filter for all that this database's changes are published to.
            interpreter: what changes mean.
            keep: how long published changes are kept.
            look_every: seconds between looks at how much waits.
        """
        self._database = database
        self._revision = revision
        self._stream = stream
        self._nudge = nudge
        self._keep = keep
        self._carrier = Carrier(stream, Audit(stream, interpreter, subjects), interpreter)
        self._backlog = Backlog(every=look_every)
        self._woken = asyncio.Event()
        self._suspected_at = 0.0
        self._connections = 0
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
                async with leadership(self._database.engine) as connection:
                    if connection is not None:
                        await self._lead(connection)
            except Exception as error:
                if not is_unavailable(error):
                    raise
                log.warning("the database is away; the relay waits", error=str(error))
            await self._stand_by()

    async def _stand_by(self) -> None:
        """Tell the active relay of what this process commits, until it is time to try to take its place."""
        end = time.monotonic() + STAND_BY
        while await self._wait(end - time.monotonic()):
            await self._stream.bus.nudge(self._nudge)

    async def _lead(self, connection: AsyncConnection) -> None:
        log.info("this relay is active")
        self.active = True
        self._backlog.begin()
        self._carrier.doubt()
        try:
            while True:
                self._woken.clear()
                self._suspect()
                await self._backlog.look(connection)
                match await self._carrier.carry(connection):
                    case "more":
                        continue
                    case "failed":
                        await asyncio.sleep(RETRY)
                    case "done":
                        await self._forget(connection)
                        await self._wait(POLL)
        finally:
            self.active = False
            self._backlog.end()

    def _suspect(self) -> None:
        """Have the stream audited, from time to time, and once it is another connection that leads there."""
        connections, now = self._stream.bus.client.stats["reconnects"], time.monotonic()
        if connections != self._connections or now - self._suspected_at >= AUDIT:
            self._carrier.suspicious = True
            self._connections, self._suspected_at = connections, now

    async def _forget(self, connection: AsyncConnection) -> None:
        if time.monotonic() - self._forgotten_at < SWEEP:
            return
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
