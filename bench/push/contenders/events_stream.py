"""Owns the broker of Tandem and of the floor: nats-server with the stream EVENTS, which republishes what it stores."""

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Final

from bench.gateway.stage import connected
from bench.push.contender import BODY, Cores, Publishing, on_core
from chassis.streams import Stream, epoch_of
from contracts import streams
from contracts.cloudevents import CONTENT_TYPE, SPEC_VERSION
from devstack.data_dir import DataDir
from devstack.nats import Nats
from devstack.ports import free_port

EVENT: Final = "inbox:created"

HEADERS: Final = (
    "Nats-Msg-Id: {id}",
    f"ce-specversion: {SPEC_VERSION}",
    "ce-id: {id}",
    "ce-source: /inbox",
    f"ce-type: {EVENT}",
    "ce-subject: {user}",
    "ce-time: 2026-01-01T00:00:00Z",
    f"content-type: {CONTENT_TYPE}",
)
"""Those of `contracts.cloudevents.Event`, with blanks."""


class EventsStream:
    """The broker, with nothing in its stream.

    Attributes:
        nats: the server.
        epoch: of the stream.
    """

    def __init__(self, *, synced: bool = True) -> None:
        """Describe it; `synced`: each event is on the disk before it is sent on, as Tandem ships it."""
        self._folder = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
        server = Lax if synced else Unsynced
        self.nats = server(self._folder / "nats", free_port(), keys=DataDir(self._folder).bus_keys, sink=silent)
        self.epoch = ""

    async def start(self, cpu: Cores) -> None:
        """Start it there, with the stream."""
        self.nats.command = [str(part) for part in on_core(cpu, self.nats.command)]
        await self.nats.start()
        async with connected(self.nats) as bus:
            info = await Stream(bus, streams.EVENTS, replicas=1).ensure()
        self.epoch = epoch_of(info)

    async def stop(self) -> None:
        """Stop it and forget the stream."""
        await self.nats.stop()
        with contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread(shutil.rmtree, self._folder)

    def publishing(self) -> Publishing:
        """As the inbox service's relay publishes."""
        return Publishing("jetstream", self.nats.port, "events.{user}.inbox", BODY, HEADERS)


class Lax(Nats):
    """Takes whoever has no key for the one who may do everything: our publisher in C cannot sign.

    The gateway has its own key, and what that costs is measured.
    """

    def configuration(self) -> dict[str, object]:
        assert self.keys is not None, "given above"
        return super().configuration() | {"no_auth_user": self.keys.public_keys()["ADMIN_NKEY"]}


class Unsynced(Lax):
    """Leaves to the kernel when a stored event reaches the disk, and asks for it every two minutes: NATS's default."""

    def configuration(self) -> dict[str, object]:
        return super().configuration() | {"jetstream": {"store_dir": str(self.data_dir)}}


def silent(_: str, __: str) -> None:
    """Takes what a server prints, for a run that thousands of lines about sockets would bury."""
