"""Measures what the gateway's sweep costs it with many feeds, by how much was stored since the last one.

All events are for users who are not connected here, so the gateway has nothing to deliver: what it uses beyond an
idle time is the sweep.
"""

import asyncio
import itertools
import time
from typing import Final

from bench.gateway.clients import Client
from bench.gateway.load import ITEM, message
from bench.gateway.stage import Stage, raise_file_limit, stage, watched
from chassis.publisher import BATCH_MAX, Publisher
from chassis.streams import Stream
from contracts import streams
from contracts.subjects import user_id
from push_gateway.sweep import INTERVAL

SWEEPS: Final = 3
"""Sweeps of each measurement."""

RATES: Final = (0, 10, 1_000, 5_000)
"""Events a second."""

CONNECTING: Final = 200
"""Sockets that are opened at the same time."""

OTHER_FILES: Final = 500
"""That the gateway, or whoever loads it, may have open beside the sockets."""


async def sweep(*, feeds: int) -> int:
    """Run it and print the figures."""
    if feeds > (most := raise_file_limit() - OTHER_FILES):
        print(f"a feed is a socket here, and {most} may be open: raise `ulimit -n`, or say --feeds {most}")
        return 2
    async with stage() as system:
        clients = [Client(system.token(f"feed{number:05d}")) for number in range(feeds)]
        turn = asyncio.Semaphore(CONNECTING)

        async def connect(client: Client) -> None:
            async with turn:
                await client.connect(system.port)

        await asyncio.gather(*map(connect, clients))
        print(f"{feeds} feeds; CPU of the gateway over {SWEEPS} sweeps, of {INTERVAL:g} s each")
        for rate in RATES:
            async with watched(system.gateway) as gateway, watched(system.nats) as nats:
                began = time.monotonic()
                stored = await _publish(system, rate, SWEEPS * INTERVAL)
                elapsed = time.monotonic() - began
            print(
                f"{stored / elapsed:6.0f} events a second   gateway {100 * gateway.cpu / elapsed:5.1f} % of a core"
                f"   nats-server {100 * nats.cpu / elapsed:5.1f} %",
                flush=True,
            )
        ended = [client.ended for client in clients if client.ended]
        for client in clients:
            client.transport.abort()
    print(f"{len(ended)} sockets ended meanwhile")
    return int(bool(ended))


async def _publish(system: Stage, rate: int, seconds: float) -> int:
    """So many events a second for users who are not there; returns how many."""
    publisher = Publisher(Stream(system.bus, streams.EVENTS, replicas=1))
    strangers = itertools.cycle([user_id(f"stranger{number}") for number in range(1_000)])
    began, stored = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < seconds:
        due = min(int(elapsed * rate) - stored, BATCH_MAX)
        if due > 0:
            outcome = await publisher.publish([message(next(strangers), ITEM) for _ in range(due)])
            if outcome.failure is not None:
                raise RuntimeError(outcome.failure)
            stored += due
        await asyncio.sleep(0.05)
    return stored
