"""Owns the nats-server that is measured: events go into its stream EVENTS and are republished, and its CPU is read.

The events are those of `make bench`, from the same load generator, which here opens no sockets: it publishes as a relay
does, in atomic batches of 500.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import AsyncIterator
from typing import Final

from bench.push import accounting
from bench.push.contender import Opening, cores
from bench.push.contenders.events_stream import HEADERS, EventsStream
from bench.push.generator import Generator, generating
from contracts.subjects import EVENT_ADDRESS, Source

NO_SOCKET: Final = Opening(1, "/", "nobody is greeted")
"""What the load generator wants to know and does not need here."""

MSG_ID: Final = "Nats-Msg-Id:"

IN_MICROSECONDS: Final = 1e6

WARMING: Final = 4
"""A measurement is preceded by this part of its events: what the server still has to collect of what came before is
not theirs."""


class Broker:
    """A nats-server on the servers' core.

    Attributes:
        stream: the server, with its stream.
    """

    def __init__(self) -> None:
        self.stream = EventsStream()
        self._runs = itertools.count()

    @property
    def cpu(self) -> float:
        """Seconds that the server has used."""
        return accounting.cpu_seconds([self.stream.nats.pid])

    @property
    def memory(self) -> int:
        """Bytes that it has, with what its garbage collector has not given back."""
        return accounting.resident([self.stream.nats.pid])

    async def store(self, users: int, events: int, *, source: Source = "inbox") -> "Cost":
        """Publish some events and then `events` more, to one of `users` after another; what these cost the server."""
        run = next(self._runs)  # an id is not used twice: the stream would take the second event for a copy
        headers = [f"{MSG_ID} {run}-{{id}}", *(line for line in HEADERS if not line.startswith(MSG_ID))]
        async with self._publishing(users, headers, source) as generator:
            warming = await generator.publish(events=max(events // WARMING, 1))
            before = self.cpu
            done = await generator.publish(events=events)
            used = (self.cpu - before) / done.events * IN_MICROSECONDS
            return Cost(used, done.events / done.publishing, warming.events + done.events)

    async def fill(self, users: int) -> None:
        """Store an event of each source for each of `users`. They have no ids: what the stream remembers of these for
        ten minutes is not what is measured."""
        headers = [line for line in HEADERS if not line.startswith(MSG_ID)]
        for source in ("connection", "inbox"):
            async with self._publishing(users, headers, source) as generator:
                await generator.publish(events=users)

    @contextlib.asynccontextmanager
    async def _publishing(self, users: int, headers: list[str], source: Source) -> AsyncIterator[Generator]:
        address = EVENT_ADDRESS.format(user_id="{user}", source=source)
        publishing = dataclasses.replace(self.stream.publishing(), address=address, headers=headers)
        load = generating(NO_SOCKET, publishing, tokens=[""] * users, devices=1, cpu=cores()[1])
        async with load as generator:
            await generator.address(users)
            yield generator


@dataclasses.dataclass(frozen=True)
class Cost:
    """What storing events cost.

    Attributes:
        us: microseconds of the server's CPU for one.
        rate: how many a second it took.
        stored: how many there were, with those before the measured ones.
    """

    us: float
    rate: float
    stored: int


@contextlib.asynccontextmanager
async def broker() -> AsyncIterator[Broker]:
    """One with nothing in its stream, gone afterwards."""
    made = Broker()
    try:
        await made.stream.start(cores()[0])
        yield made
    finally:
        await made.stream.stop()
