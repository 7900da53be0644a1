"""Owns a few users who are connected all the time, and how long an event takes to reach them. A process of its own."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import uvloop

from bench.gateway.clients import Client
from bench.gateway.load import ITEM, message
from chassis.bus import Bus
from chassis.publisher import Publisher
from chassis.streams import Stream
from contracts import streams
from contracts.subjects import UserId

EVERY = 0.02
"""Seconds between events: one at a time is on its way."""

DEADLINE = 30.0
"""Seconds for one event; only so that a run ends."""


@dataclass(frozen=True)
class Latency:
    """One event: when it was published, on the monotonic clock that all processes share, and the seconds it took."""

    at: float
    seconds: float


def measure(
    port: int, nats_url: str, seed_file: Path | None, users: Sequence[tuple[UserId, str]], enough: Event
) -> list[Latency]:
    """Publish to one of `users` (each with a token) after another until it is enough."""
    return uvloop.run(_measure(port, nats_url, seed_file, users, enough))


async def _measure(
    port: int, nats_url: str, seed_file: Path | None, users: Sequence[tuple[UserId, str]], enough: Event
) -> list[Latency]:
    bus = Bus((nats_url,), name="bench live", nkey_seed_file=seed_file)
    connection = asyncio.create_task(bus.run(), name="bus")
    await bus.wait_until_connected()
    publisher = Publisher(Stream(bus, streams.EVENTS, replicas=1))
    clients = [(user, Client(token)) for user, token in users]
    for _, client in clients:
        await client.connect(port)
    latencies: list[Latency] = []
    while not enough.is_set():
        user, client = clients[len(latencies) % len(clients)]
        arrived = client.until(len(client.sequences) + 1)
        began = time.monotonic()
        outcome = await publisher.publish([message(user, ITEM)])
        assert outcome.failure is None, outcome.failure
        async with asyncio.timeout(DEADLINE):
            latencies.append(Latency(began, await arrived - began))
        await asyncio.sleep(EVERY)
    for _, client in clients:
        client.transport.abort()
    connection.cancel()
    return latencies
