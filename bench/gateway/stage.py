"""Owns the system that is measured: one nats-server and one gateway, each a process, and what they use up."""

import asyncio
import contextlib
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from nats.aio.client import Client

from chassis.auth import issue_token
from chassis.bus import Bus
from chassis.settings import AuthSettings
from chassis.streams import Stream, epoch_of
from contracts import streams
from devstack.data_dir import DataDir
from devstack.nats import Nats
from devstack.ports import HOST, free_port
from devstack.processes import Child, running
from devstack.services import Service

ROOT: Final = Path(__file__).parents[2]
MIB: Final = 1024 * 1024

READY_WITHIN: Final = 60.0
"""Seconds."""

SAMPLED_EVERY: Final = 0.1
"""Seconds between looks at a process's memory."""


@dataclass(frozen=True)
class Stage:
    """The running system."""

    nats: Nats
    gateway: Child
    port: int
    bus: Bus
    epoch: str
    auth: AuthSettings

    def token(self, user: str) -> str:
        """A token that outlives every run."""
        return issue_token(self.auth, user, ttl=24 * 3600)


def raise_file_limit() -> int:
    """Let this process, and those that it starts, open as many files as the system allows; returns how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


@contextlib.asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A system with an empty stream, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-gateway-"))
    secret, port = DataDir(folder).secret(), free_port()
    service = Service("push", (sys.executable, "-m", "push_gateway"), port)
    nats = Nats(folder / "nats", free_port(), keys=DataDir(folder).bus_keys, sink=_keep_quiet)
    limits = {
        "PUSH_MAX_SOCKETS": "30000",
        "PUSH_MAX_SOCKETS_PER_USER": "1000",
        "PUSH_HANDSHAKES_PER_USER": "0",
        "PUSH_HANDSHAKES_PER_ADDRESS": "0",
    }
    env = {"PUSH_PORT": str(port), "HOST": HOST, "AUTH_SECRET": secret, "PYTHONPATH": str(ROOT), **nats.access("push")}
    gateway = Child(
        "gateway", service.command, env=env | limits, probe=service.ready, ready_within=READY_WITHIN, sink=_keep_quiet
    )
    try:
        async with running(nats), connected(nats) as bus:
            info = await Stream(bus, streams.EVENTS, replicas=1).ensure()
            async with running(gateway):
                yield Stage(nats, gateway, port, bus, epoch_of(info), AuthSettings(secret=secret))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Watched:
    """What a process used between two moments.

    Attributes:
        cpu: seconds, of the kernel's work for it too.
        before: bytes resident at the beginning.
        peak: bytes resident at most, seen ten times a second.
    """

    cpu: float = 0.0
    before: int = 0
    peak: int = 0


@contextlib.asynccontextmanager
async def watched(child: Child) -> AsyncIterator[Watched]:
    """See what `child` uses until the end of the block."""
    process = psutil.Process(child.pid)
    resident, times = process.memory_info().rss, process.cpu_times()
    usage = Watched(before=resident, peak=resident)

    async def sample() -> None:
        while True:
            usage.peak = max(usage.peak, process.memory_info().rss)
            await asyncio.sleep(SAMPLED_EVERY)

    sampling = asyncio.create_task(sample(), name=f"memory of {child.name}")
    try:
        yield usage
    finally:
        sampling.cancel()
        now = process.cpu_times()
        usage.cpu = now.user + now.system - times.user - times.system


@contextlib.asynccontextmanager
async def connected(nats: Nats, client: Client | None = None) -> AsyncIterator[Bus]:
    """A connection to `nats` while the block runs."""
    bus = Bus((nats.url,), name="bench", nkey_seed_file=nats.seed_file("admin"), client=client)
    running_bus = asyncio.create_task(bus.run(), name="bus")
    try:
        await bus.wait_until_connected()
        yield bus
    finally:
        running_bus.cancel()
        await asyncio.wait((running_bus,))


def _keep_quiet(name: str, line: str) -> None:
    if "warning" in line or "error" in line or os.environ.get("VERBOSE"):
        sys.stderr.write(f"{name:<8} | {line}\n")
