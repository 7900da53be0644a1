"""Measures what reading costs nats-server, for each event that it sends: one user's events among those of many, which
stand in the worst order for that, and the whole stream in turn, by direct gets and by a consumer that lives as long.

It is why many who come back share one reading of the stream (docs/decisions/0010).
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from bench.gateway.load import Stored, fill
from bench.gateway.stage import connected, stage, watched
from contracts.subjects import EVENTS_STREAM, UserId, user_id
from push_gateway.direct import DirectGet
from push_gateway.reader import BATCH, BATCH_BYTES, Reader
from push_gateway.scan import Scan
from push_gateway.subscriber import Subscriber

ALONE: Final = 20
"""Users who are read one after another: enough for the clock of the operating system, which counts in 10 ms."""

ROUNDS: Final = 3

Way = Callable[[], Awaitable[int]]
"""Reads in some way, and returns how many events that were."""


async def reads(*, users: int, events: int) -> int:
    """Run it and print the figures; 1 if something was not read that is there."""
    names = [user_id(f"away{number:05d}") for number in range(users)]
    client = Subscriber()
    async with stage() as system, connected(system.nats, client):
        print(f"storing {events} events for each of {users} users in turn ...", flush=True)
        stored = await fill(system.bus, names, events=events)
        direct = DirectGet(client, EVENTS_STREAM)
        alone = names[:: max(1, users // ALONE)]
        ways: dict[str, tuple[Way, int]] = {
            "one user's events by direct gets": (partial(_alone, direct, alone), len(alone) * events),
            "all events by direct gets": (partial(_in_turn, direct, stored), users * events),
            "all events by a consumer": (partial(_scanned, client, stored), users * events),
        }
        missing = 0
        for name, (read, there) in ways.items():
            figures = []
            for _ in range(ROUNDS):
                async with watched(system.nats) as nats:
                    missing += there - await read()
                figures.append(1e6 * nats.cpu / there)
            print(f"{name:<33} {min(figures):6.1f} to {max(figures):.1f} us of nats-server an event", flush=True)
    return int(missing != 0)


async def _alone(direct: DirectGet, users: Sequence[UserId]) -> int:
    reader, found = Reader(direct), 0
    for user in users:
        batch = await reader.read(user, after=0)
        found += len(batch.events)
        while batch.more:
            batch = await reader.read(user, after=batch.through)
            found += len(batch.events)
    return found


async def _in_turn(direct: DirectGet, stored: Stored) -> int:
    found, at = 0, stored.first
    while (answer := await direct.ask(batch=BATCH, max_bytes=BATCH_BYTES, seq=at)).messages:
        found, at = found + len(answer.messages), answer.last + 1
        if not answer.more:
            break
    return found


async def _scanned(client: Subscriber, stored: Stored) -> int:
    found, more = 0, True
    async with Scan(client, EVENTS_STREAM, {}, after=stored.first - 1) as scan:
        while more:
            page = await scan.page()
            found, more = found + page.messages, page.more
    return found
