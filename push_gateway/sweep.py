"""Owns finding lost events that no later event would reveal: comparing every feed with the stream, again and again.

A live message that is followed by another one of its subject cannot be lost unnoticed; the last one can. So what was
stored since the last sweep is compared with what the feeds have. A stream that did not move costs one question.
"""

import asyncio
import contextlib
from collections.abc import Iterable

import structlog
from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.errors import BusUnavailable
from contracts.subjects import (
    EVENTS_STREAM,
    SOURCES,
    Source,
    UnknownSubject,
    UserId,
    addressee,
    user_filter,
)
from push_gateway.direct import DirectGet
from push_gateway.hub import Hub
from push_gateway.messages import header
from push_gateway.stream_state import StreamWatch

log = structlog.get_logger(__name__)

INTERVAL = 10.0
"""Seconds between sweeps. With the grace and the sweep itself below the 15 s within which a lost event is found."""

GRACE = 1.0
"""Seconds that live messages get to arrive before they count as lost."""

BATCH = 1_000
"""Messages of one read of what was stored since the last sweep."""

USERS_AT_ONCE = 1024 // len(SOURCES)
"""Users of one question for last sequences; the server answers at most 1,024 subjects."""

RETRY = 0.5
"""Seconds before a sweep that the stream did not answer is tried again."""

LEADER_ELECTED = f"$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.{EVENTS_STREAM}"
"""Where the servers say that the stream has a new leader, which may not have sent on what the old one stored last."""

Lasts = dict[UserId, dict[Source, int]]


class Sweep:
    """Compares the feeds of a hub with the stream."""

    name = "sweep"

    def __init__(self, bus: Bus, hub: Hub, direct: DirectGet, watch: StreamWatch) -> None:
        self._bus = bus
        self._hub = hub
        self._direct = direct
        self._watch = watch
        self._swept = 0
        self._soon = asyncio.Event()
        bus.on_reconnect(self.soon)

    async def soon(self, _: Msg | None = None) -> None:
        """Sweep at once: the connection was interrupted, or the stream has a new leader."""
        self._soon.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        await self._bus.wait_until_connected()
        await self._bus.client.subscribe(LEADER_ELECTED, cb=self.soon)
        while True:
            try:
                async with asyncio.timeout(INTERVAL):
                    await self._soon.wait()
                grace = 0.0
            except TimeoutError:
                grace = GRACE
            self._soon.clear()
            try:
                await self.sweep(grace=grace)
            except BusUnavailable as error:
                log.warning("the sweep waits for the stream", reason=str(error))
                self._soon.set()
                await asyncio.sleep(RETRY)

    async def sweep(self, *, grace: float = GRACE) -> None:
        """Have every feed read what it lacks of what the stream holds now.

        Raises:
            BusUnavailable: the stream did not answer.
        """
        delivered = self._hub.highest()
        state = await self._watch.state()
        if state.last < delivered:  # it has lost its end, and whoever restored it has not said so yet
            self._hub.restart(state)
        if state.last <= self._swept:
            self._swept = state.last  # less than before: another history, which the hub has been told of
            return
        await asyncio.sleep(grace)
        users = self._hub.users()
        if state.last - self._swept <= len(users) * len(SOURCES):
            lasts, through = await self._stored_since(self._swept, state.last)
        else:
            lasts, through = await self._lasts_of(users, state.last)
        self._hub.compare(users, lasts, through=through)
        self._swept = through

    async def _stored_since(self, after: int, through: int) -> tuple[Lasts, int]:
        """The last event of each subject among all that was stored behind `after`, and up to where that is known."""
        lasts: Lasts = {}
        while after < through:
            answer = await self._direct.ask(batch=BATCH, seq=after + 1)
            if not answer.messages:
                break
            _note(lasts, answer.messages)
            after = answer.last
        return lasts, after

    async def _lasts_of(self, users: list[UserId], up_to: int) -> tuple[Lasts, int]:
        """The last event of each subject of `users`, and up to where that is known."""
        lasts: Lasts = {}
        for start in range(0, len(users), USERS_AT_ONCE):
            filters = [user_filter(user) for user in users[start : start + USERS_AT_ONCE]]
            answer = await self._direct.ask(multi_last=filters, batch=len(filters) * len(SOURCES))
            _note(lasts, answer.messages)
            if not answer.messages:  # then nothing says how far that replica is
                return await self._stored_since(self._swept, up_to)
            up_to = min(up_to, answer.up_to)
        return lasts, up_to


def _note(lasts: Lasts, messages: Iterable[tuple[bytes, bytes]]) -> None:
    for headers, _ in messages:
        subject, seq = header(headers, b"Nats-Subject"), header(headers, b"Nats-Sequence")
        assert subject is not None, "the server says where a message stood"
        assert seq is not None, "and at which sequence"
        with contextlib.suppress(UnknownSubject):  # stored by something that is not ours, for a user who is nobody
            user, source = addressee(subject.decode())
            lasts.setdefault(user, {})[source] = int(seq)
