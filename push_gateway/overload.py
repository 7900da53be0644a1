"""Owns that what waits for slow clients never fills the memory, however many of them there are."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from push_gateway.errors import ReadsTooSlowly
from push_gateway.session import Session

log = structlog.get_logger(__name__)

EVERY = 0.25
"""Seconds between looks. At full load (250 MiB a second and more) a quarter of the usual limit comes together
meanwhile; so the memory for all that waits stays below twice the limit."""

RELIEF = 0.75
"""The part of the limit down to which sockets are ended, so that it is not reached again at once."""


class Overload:
    """Ends the slowest readers when too much waits for all clients together; one by one each has its own limit.

    It looks at those who are behind. To ask 20,000 sockets, nearly all of which have nothing waiting, takes a tenth of
    a core at four times a second: each is somewhere else in memory.
    """

    name = "overload"

    def __init__(self, behind: Callable[[], Iterable[Session]], limit: int) -> None:
        self._behind = behind
        self._limit = limit

    async def run(self) -> None:
        """Look from time to time, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            self.relieve()

    def relieve(self) -> None:
        """One look."""
        unsent = {session: session.connection.unsent for session in self._behind()}
        total = sum(unsent.values())
        if total <= self._limit:
            return
        ended = 0
        for session in sorted(unsent, key=lambda each: unsent[each], reverse=True):
            session.end(ReadsTooSlowly("the gateway has no room for what you do not read; resume"))
            session.connection.transport.abort()  # else what waits for it would stay until it hangs up or is cut
            total -= unsent[session]
            ended += 1
            if total <= self._limit * RELIEF:
                break
        log.warning("too much waited for slow clients", sockets_ended=ended)
