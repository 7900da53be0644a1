"""Measures the gateway's memory while a thousand sockets never read and everything that can be sent is sent to them.

Whatever the gateway cuts off is opened again at once, as by somebody who means it. A few others read all the time and
must get everything.
"""

import asyncio
import contextlib
import itertools
import os
import re
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx

from bench.gateway.clients import Client
from bench.gateway.load import message
from bench.gateway.stage import MIB, SAMPLED_EVERY, Stage, stage, watched
from chassis.publisher import BATCH_MAX, Publisher
from chassis.streams import Stream
from contracts import streams
from contracts.subjects import UserId, user_id
from devstack.ports import HOST

PER_USER: Final = 10

READERS: Final = 20

AGAIN: Final = 0.5
"""Seconds between looks for sockets that were cut off."""

DEADLINE: Final = 60.0
"""Seconds; only so that a run ends."""

BODY: Final = b'{"text":"%b"}' % (b"x" * 2000)
"""A long item: the more there is to send, the sooner memory would be full."""

_SOCKETS: Final = re.compile(r"^tandem_push_sockets ([0-9.]+)", re.MULTILINE)
_PAGES: Final = re.compile(r"^TCP: .* mem (\d+)$", re.MULTILINE)
_TOO_SLOW: Final = re.compile(r'^tandem_push_refusals_total{code="4408"} ([0-9.]+)', re.MULTILINE)


class Silent(Client):
    """Takes its greeting, and nothing after it."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.greeted_at:
            self.transport.pause_reading()


async def silent(*, sockets: int, seconds: float) -> int:
    """Run it and print the figures; 1 if somebody who read was not sent everything."""
    users = [user_id(f"silent{number:03d}") for number in range(sockets // PER_USER)]
    async with stage() as system:
        readers = [Client(system.token(user)) for user in users[:READERS]]
        for reader in readers:
            await reader.connect(system.port)
        async with watched(system.gateway) as gateway:
            siege = asyncio.create_task(_besiege(system, users, sockets), name="siege")
            kernel = asyncio.create_task(_kernel_memory(), name="memory of the kernel")
            try:
                sent = await _publish(system, users, seconds)
                for user, reader in zip(users, readers, strict=False):
                    async with asyncio.timeout(DEADLINE):
                        await reader.until(len(sent[user]))
            finally:
                siege.cancel()
                kernel.cancel()
            cut = int(await _metric(system, _TOO_SLOW))
        complaints = [
            f"{user} was sent {len(reader.sequences)} of {len(sent[user])} events, or in another order"
            for user, reader in zip(users, readers, strict=False)
            if reader.sequences.tolist() != sent[user]
        ]
    await asyncio.wait((siege, kernel))
    lines = {
        "sockets that never read": f"{sockets}, {PER_USER} a user; each that is cut off comes back",
        "events": f"{sum(map(len, sent.values()))} of {len(BODY)} bytes in {seconds:g} s, each to {PER_USER} of them",
        "cut off with 4408": cut,
        "gateway": f"{gateway.before / MIB:.0f} MiB before, {gateway.peak / MIB:.0f} MiB at most",
        "kernel, all TCP sockets": f"{max(kernel.result()) / MIB:.0f} MiB at most",
        "readers beside them": f"{len(readers)}, {len(complaints)} not sent everything once and in order",
    }
    print("\n".join([*complaints, *(f"{name:<28} {value}" for name, value in lines.items())]))
    return int(bool(complaints))


async def _publish(system: Stage, users: Sequence[UserId], seconds: float) -> dict[UserId, list[int]]:
    """As much as the stream takes, to one user after another; returns where the events of each stand."""
    publisher = Publisher(Stream(system.bus, streams.EVENTS, replicas=1))
    sent: dict[UserId, list[int]] = {user: [] for user in users}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        whom = [users[number % len(users)] for number in range(BATCH_MAX)]
        outcome = await publisher.publish([message(user, BODY) for user in whom])
        if outcome.failure is not None:
            raise RuntimeError(outcome.failure)
        for user, seq in zip(whom, outcome.sequences, strict=True):
            sent[user].append(seq)
    return sent


async def _besiege(system: Stage, users: Sequence[UserId], sockets: int) -> None:
    """Keep so many silent sockets open, until cancelled."""
    clients: deque[Silent] = deque()
    numbers = itertools.count()
    try:
        while True:
            missing = sockets + READERS - int(await _metric(system, _SOCKETS))
            for _ in range(missing):
                client = Silent(system.token(users[next(numbers) % len(users)]))
                with contextlib.suppress(OSError):
                    await client.connect(system.port)
                    clients.append(client)
            while len(clients) > sockets:  # the oldest were cut off, and do not look
                clients.popleft().transport.abort()
            await asyncio.sleep(AGAIN)
    finally:
        for client in clients:
            client.transport.abort()


async def _kernel_memory() -> list[int]:
    """Bytes that the kernel holds for TCP, ten times a second until cancelled."""
    seen: list[int] = []
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            seen.append(_pages() * os.sysconf("SC_PAGE_SIZE"))
            await asyncio.sleep(SAMPLED_EVERY)
    return seen


def _pages() -> int:
    return int(_PAGES.findall(Path("/proc/net/sockstat").read_text())[0])


async def _metric(system: Stage, pattern: re.Pattern[str]) -> float:
    """A figure of the gateway's /metrics; 0 if it has not been counted yet."""
    async with httpx.AsyncClient(timeout=DEADLINE) as http:
        found = pattern.search((await http.get(f"http://{HOST}:{system.port}/metrics")).text)
    return float(found[1]) if found else 0.0
