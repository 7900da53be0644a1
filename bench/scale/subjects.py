"""Measures what an event costs nats-server with more and more subjects in the stream, and what it costs to come back.

Each user has two subjects, one a source. Nobody is subscribed: this is storing and republishing alone.
"""

from collections.abc import AsyncIterator
from time import perf_counter
from typing import Final

from bench.gateway.load import fill
from bench.gateway.stage import connected
from bench.scale.broker import IN_MICROSECONDS, Broker, broker
from bench.scale.plan import FEW, Plan
from bench.scale.rows import Row
from chassis.bus import Bus
from contracts.subjects import EVENTS_STREAM, SOURCES, user_id
from devstack.errors import StackError
from push_gateway.direct import DirectGet
from push_gateway.reader import Reader
from push_gateway.scan import Scan
from push_gateway.subscriber import Subscriber

READS: Final = 20
"""Times that one user is read: the first finds nothing in a cache, the others what a server has that people come back
to all the time."""

PASS: Final = 10_000
"""Messages at the end of the stream that are read in turn."""

IN_MS: Final = 1000


async def subjects(plan: Plan, number: int) -> AsyncIterator[Row]:
    """A round, size by size, in one stream."""
    client = Subscriber()
    async with broker() as server, connected(server.stream.nats, client) as bus:
        empty = server.memory
        for size in plan.sizes:
            users = size // len(SOURCES)
            returning = await _return_behind(server, bus, client, size)
            figures = {"memory": float(server.memory - empty), **returning, **await _stored(bus)}
            few = await server.store(min(FEW, users), plan.events)
            every = await server.store(users, plan.events)
            yield Row("subjects", size, number, figures | {"few": few.us, "all": every.us, "rate": every.rate})


async def _return_behind(server: Broker, bus: Bus, client: Subscriber, size: int) -> dict[str, float]:
    """Fill the stream, between two events of one user, and read the second alone; then some of the others in turn."""
    away = user_id(f"away{size}")
    first = (await fill(bus, [away], events=1)).first
    await server.fill(size // len(SOURCES))
    last = (await fill(bus, [away], events=1)).first
    if last - first - 1 != size:
        raise StackError(f"the stream took {last - first - 1} events of {size}")
    reader = Reader(DirectGet(client, EVENTS_STREAM))
    alone = _Watch(server)
    for _ in range(READS):
        batch = await reader.read(away, after=first)
        if batch.through != last:
            raise StackError(f"the event at {last} was not found behind {first}, but one at {batch.through}")
    figures = {"alone": alone.cpu / READS * IN_MICROSECONDS, "alone_ms": alone.seconds / READS * IN_MS}
    in_turn = _Watch(server)
    async with Scan(client, EVENTS_STREAM, {}, after=max(last - PASS, 0)) as scan:
        count, more = 0, True
        while more:
            page = await scan.page()
            count, more = count + page.messages, page.more
    return figures | {"turn": in_turn.cpu / count * IN_MICROSECONDS}


async def _stored(bus: Bus) -> dict[str, float]:
    state = (await bus.jetstream.stream_info(EVENTS_STREAM)).state
    return {"stored": state.bytes / state.messages}


class _Watch:
    """What has been used since it was made."""

    def __init__(self, server: Broker) -> None:
        self._server = server
        self._cpu, self._began = server.cpu, perf_counter()

    @property
    def cpu(self) -> float:
        return self._server.cpu - self._cpu

    @property
    def seconds(self) -> float:
        return perf_counter() - self._began
