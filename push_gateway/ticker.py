"""Owns what happens to sockets by the clock: heartbeats, and the end of a token. One task for all of them."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

from push_gateway.errors import TokenRefused
from push_gateway.session import Session

TICK = 1.0
"""Seconds between looks. A token may be used at most so much longer than it says."""


class Ticker:
    """Sends each session a heartbeat every so many seconds, spread evenly, and ends it when its token does."""

    name = "ticker"

    def __init__(
        self, *, heartbeat: int, heartbeat_for: Callable[[Session], bytes], clock: Callable[[], float] = time.time
    ) -> None:
        self._slots: list[set[Session]] = [set() for _ in range(heartbeat)]
        self._heartbeat_for = heartbeat_for
        self._clock = clock
        self._due: defaultdict[int, set[Session]] = defaultdict(set)
        self._place: dict[Session, tuple[int, int]] = {}
        self._looked_at = int(clock())
        self._ticks = 0

    def add(self, session: Session) -> None:
        """Begin. The first heartbeat comes after a full round."""
        slot = self._ticks % len(self._slots)
        self._slots[slot].add(session)
        self._wait(session, slot, self._second(session))

    def remove(self, session: Session) -> None:
        """Stop."""
        slot, due = self._place.pop(session)
        self._slots[slot].discard(session)
        self._forget_due(session, due)

    def renew(self, session: Session) -> None:
        """It has another token, which may end sooner than the one before."""
        slot, due = self._place[session]
        self._forget_due(session, due)
        self._wait(session, slot, self._second(session))

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            self.tick()

    def tick(self) -> None:
        """One look at the clock."""
        self._ticks += 1
        for session in self._slots[self._ticks % len(self._slots)]:
            if session.greeted:
                session.write(self._heartbeat_for(session))
        now = int(self._clock())
        for second in range(self._looked_at, now + 1):
            for session in self._due.pop(second, ()):
                self._expire_or_wait(session, now)
        self._looked_at = max(self._looked_at, now)

    def _expire_or_wait(self, session: Session, now: int) -> None:
        due = self._second(session)
        if due <= now:
            session.end(TokenRefused("the token has expired; come back with a new one"))
        self._wait(session, self._place[session][0], max(due, now + 1))

    def _wait(self, session: Session, slot: int, due: int) -> None:
        self._due[due].add(session)
        self._place[session] = slot, due

    def _forget_due(self, session: Session, due: int) -> None:
        self._due[due].discard(session)
        if not self._due[due]:
            del self._due[due]

    def _second(self, session: Session) -> int:
        """The first whole second at which the token is over, but not one that has been looked at."""
        return max(int(session.expires_at) + 1, self._looked_at + 1)
