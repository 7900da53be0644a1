"""Owns whose turn it is to get what was missed: clients read alone, a few at a time, or many together in one pass.

Reading the events of one user makes the server look at every message in those parts of the stream that hold one of
them. A pass reads the whole stream once, from where the first of many clients left off. Which is cheaper depends on how
the events lie, how far back the clients are and how many wait; so it is decided by what both ways have cost lately.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from chassis.errors import BusUnavailable
from push_gateway import metrics
from push_gateway.handshake import Cursor
from push_gateway.passage import Passage, Rider
from push_gateway.reader import READ_AGAIN, Batch, Reader
from push_gateway.scan import Scan
from push_gateway.session import Session
from push_gateway.stream_state import StreamWatch

log = structlog.get_logger(__name__)

ALONE = 4
"""Clients that read alone at the same time; one while there is a pass. A read can keep the server busy for a tenth of
a second where a user's events lie far apart, and repairs of live feeds must not wait behind many of those."""

CROWD = 64
"""Clients that a pass is for at least: fewer are soon served, whatever it costs."""

READ = 0.001
LOOK = 0.2e-6
TAKE = 20e-6
"""Seconds: a client's read at least; what it adds for each message of the stream that is passed over; and each message
of a pass. The last two only until they are known better: where users' events are rare a look costs far less."""

LEARNING = 0.2
"""How much of each further measurement counts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How some clients are served best: so many of them, those who are the least far behind, together in a pass.

    Attributes:
        cost: what it takes in all, in seconds.
    """

    together: int
    cost: float


def plan(behind: Sequence[int], *, look: float, take: float) -> Plan:
    """The best way for clients that are so many messages `behind`, ascending.

    A pass costs as much as there is to read for the last one in it, so who was away for very long is left to go alone.
    """
    alone = [READ + messages * look for messages in behind]
    rest = sum(alone)
    best = Plan(0, rest)
    for number, messages in enumerate(behind, start=1):
        rest -= alone[number - 1]
        if messages * take + rest <= best.cost:
            best = Plan(number, messages * take + rest)
    return best


class Replays:
    """All replays of a gateway."""

    name = "replays"

    def __init__(self, reader: Reader, scan: Callable[[Passage], Scan], watch: StreamWatch) -> None:
        """Put it together; `scan` reads the stream for a pass."""
        self._reader = reader
        self._scan = scan
        self._watch = watch
        self._queue: dict[Rider, None] = {}
        self._passage: Passage | None = None
        self._alone = 0
        self._crowded = asyncio.Event()
        self._look = LOOK
        self._take = TAKE

    async def read(self, session: Session, cursor: Cursor) -> Batch | None:
        """The next events behind a session's position, when it is its turn, however long that takes.

        None if a pass has brought it forward instead: it has everything up to its position, which may be as before.

        Raises:
            ReadsTooSlowly: the client does not take what it was sent.
        """
        await session.drained()
        rider = Rider(session, cursor, asyncio.get_running_loop().create_future())
        self._queue[rider] = None
        self._let_in()
        try:
            if not await rider.alone:
                return None
            return await self._read(session)
        finally:
            self._queue.pop(rider, None)
            if rider.reads_alone:
                self._alone -= 1
                self._let_in()

    async def run(self) -> None:
        """Make passes when they are worth it, until cancelled."""
        while True:
            await self._crowded.wait()
            self._crowded.clear()
            if not (riders := self._worth_a_pass()):
                continue
            self._passage = Passage(riders, self._watch)
            for rider in riders:
                del self._queue[rider]
            try:
                await self._pass(self._passage)
            except BusUnavailable as error:
                log.warning("a pass waits for the stream", reason=str(error))
                await asyncio.sleep(READ_AGAIN)
            self._queue = {**dict.fromkeys(self._passage.riders), **self._queue}
            self._passage = None
            self._let_in()

    async def _read(self, session: Session) -> Batch:
        while True:
            began = time.monotonic()
            try:
                batch = await self._reader.read(session.user, after=session.position)
            except BusUnavailable as error:
                log.warning("a replay waits for the stream", user=session.user, reason=str(error))
                await asyncio.sleep(READ_AGAIN)
                continue
            if (passed := (batch.through if batch.more else self._last) - session.position) > 0:
                self._look += LEARNING * ((time.monotonic() - began) / passed - self._look)
            return batch

    async def _pass(self, passage: Passage) -> None:
        """Go on to the end of the stream, unless it is better to begin again together with those who wait meanwhile:
        when whatever else is done for them costs more than to read again what was read."""
        metrics.passes.inc()
        log.info("a pass begins", clients=len(passage.riders), after=passage.at)
        start = passage.at
        async with self._scan(passage) as scan:
            while passage.riders:
                began = time.monotonic()
                if messages := await passage.advance(scan):
                    self._take += LEARNING * ((time.monotonic() - began) / messages - self._take)
                if len(self._queue) >= CROWD and self._plan().cost > (passage.at - start) * self._take:
                    return

    def _let_in(self) -> None:
        """Let those read alone who may, first come, first served, and see whether too many wait."""
        while self._queue and self._alone < (ALONE if self._passage is None else 1):
            rider = next(iter(self._queue))
            del self._queue[rider]
            rider.land(alone=True)
            self._alone += rider.reads_alone
        if len(self._queue) >= CROWD:
            self._crowded.set()

    def _worth_a_pass(self) -> list[Rider]:
        """For whom a pass costs least in all; nobody if that is no pass."""
        plan = self._plan()
        nearest = sorted(self._queue, key=lambda rider: rider.session.position, reverse=True)
        return nearest[: plan.together] if plan.together >= CROWD else []

    def _plan(self) -> Plan:
        behind = sorted(self._last - rider.session.position for rider in self._queue)
        return plan(behind, look=self._look, take=self._take)

    @property
    def _last(self) -> int:
        assert self._watch.latest is not None, "known before anybody is greeted"
        return self._watch.latest.last
