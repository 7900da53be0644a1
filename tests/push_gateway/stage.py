"""Owns what stands around a gateway under test: NATS, a line to it that can be cut, and what the relays store."""

import asyncio
import contextlib
import datetime as dt
import itertools
import json
import sys
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.auth import issue_token
from chassis.bus import Bus
from chassis.publisher import Message, Publisher
from chassis.settings import AuthSettings, BusSettings
from chassis.streams import Stream
from contracts import streams
from contracts.cloudevents import Event
from contracts.subjects import Source, event_subject, user_id
from devstack.bus_keys import BusKeys
from devstack.nats import Nats
from devstack.ports import HOST, free_port
from devstack.processes import Child
from devstack.waiting import until
from push_gateway import app
from push_gateway.settings import Settings
from tests.conftest import running_bus
from tests.push_gateway.clients import PATIENCE, Frame

_numbers = itertools.count()

ROOT = Path(__file__).parents[2]

AUTH = AuthSettings(secret="a secret for tests, long enough for every algorithm that signs with a secret")

TYPES: Mapping[Source, str] = {"inbox": "inbox:updated", "connection": "connection_answer:created"}


class MonitoredNats(Nats):
    """A NATS server that tells who has subscribed to what."""

    def __init__(self, data_dir: Path, port: int) -> None:
        super().__init__(data_dir, port, keys=BusKeys(data_dir / "keys"), sink=lambda *_: None)
        self.monitor = free_port()

    def configuration(self) -> dict[str, object]:
        return super().configuration() | {"http": f"{HOST}:{self.monitor}"}

    async def subscriptions(self, client: str = app.NAME) -> set[str]:
        """The subjects that the connection named `client` has subscribed to."""
        _, body = await http_get(self.monitor, "/connz?subs=1", version="1.0")  # with 1.1 it would come in chunks
        subjects: set[str] = set()
        for connection in json.loads(body)["connections"]:
            if connection.get("name") == client:
                subjects.update(connection.get("subscriptions_list", ()))
        return subjects


async def http_get(port: int, path: str, *, version: str = "1.1") -> tuple[int, str]:
    """Status and body of an answer."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(f"GET {path} HTTP/{version}\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return int(head.split(b" ")[1]), body.decode()


@dataclass(frozen=True)
class Gateway:
    """A gateway that runs in this process. `stop` asks it to end, as SIGTERM does."""

    port: int
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of an answer of its plain HTTP side."""
        return await http_get(self.port, path)

    async def is_alive(self) -> bool:
        """Whether it answers."""
        try:
            return (await self.get("/healthz"))[0] == 200
        except OSError:
            return False  # it does not listen yet

    async def is_ready(self) -> bool:
        """Whether it says so."""
        return await self.is_alive() and (await self.get("/readyz"))[0] == 200

    async def is_not_ready(self) -> bool:
        """Whether it says that it is not, and with 503."""
        return (await self.get("/readyz"))[0] == 503

    async def count(self, metric: str) -> float:
        """What it has counted; all gateways of this process together."""
        _, text = await self.get("/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(metric))


@contextlib.asynccontextmanager
async def running_gateway(
    nats: Nats, *, url: str | None = None, wait: bool = True, auth: AuthSettings = AUTH, **variables: Any
) -> AsyncIterator[Gateway]:
    """A gateway with these variables in its environment, ready unless told not to wait for that.

    It reaches `nats` by another way if `url` is given.
    """
    settings = Settings.model_validate({"PUSH_PORT": free_port(), "PUSH_DRAIN": 0.1, **variables})
    bus_settings = BusSettings(url=(url or nats.url,), nkey_seed_file=nats.seed_file("push"))
    stop = asyncio.Event()
    task = asyncio.create_task(app.serve(settings, auth, bus_settings, stop))
    gateway = Gateway(settings.port, stop, task)
    try:
        assert not wait or await until(gateway.is_ready, within=PATIENCE)
        yield gateway
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE):
            await task


def gateway_process(nats: MonitoredNats, **variables: str) -> tuple[Child, Gateway]:
    """A gateway as a process of its own, with these variables in its environment."""
    port = free_port()
    gateway = Gateway(port, asyncio.Event(), asyncio.current_task())  # type: ignore[arg-type]
    environment = {
        "PUSH_PORT": str(port),
        **nats.access("push"),
        "AUTH_SECRET": AUTH.secret or "",
        "PYTHONPATH": str(ROOT),
        **variables,
    }
    command = [sys.executable, "-m", "push_gateway"]
    return Child("push", command, env=environment, probe=gateway.is_ready, sink=lambda *_: None), gateway


@dataclass(frozen=True)
class Stored:
    """An event that is in the stream, and the frame that tells of it."""

    seq: int
    event: Event

    @property
    def frame(self) -> Frame:
        return {"event": self.event.type, "seq": self.seq, "id": self.event.id, "data": json.loads(self.event.body)}


class Events:
    """Stores events as the relays do."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.stream = Stream(bus, streams.EVENTS, replicas=1)

    async def store(
        self, user: str, count: int = 1, *, sources: Sequence[Source] = ("inbox",), size: int = 0
    ) -> list[Stored]:
        """Store `count` events for `user`, of `sources` in turn, with bodies of about `size` bytes."""
        cycle, to = itertools.cycle(sources), user_id(user)
        messages, events = [], []
        for source, _ in zip(cycle, range(count), strict=False):
            body = json.dumps({"n": next(_numbers), "padding": "x" * size}).encode()
            event = Event(uuid.uuid4().hex, TYPES[source], to, dt.datetime.now(dt.UTC), body)
            events.append(event)
            messages.append(Message(event.id, event_subject(to, source), event.headers(), body))
        outcome = await Publisher(self.stream).publish(messages)
        assert outcome.failure is None, outcome.failure
        return [Stored(seq, event) for seq, event in zip(outcome.sequences, events, strict=True)]

    @contextlib.asynccontextmanager
    async def losing_live_copies(self) -> AsyncIterator[None]:
        """What is stored meanwhile is not republished, as when the leader dies between the two."""
        jetstream = self.bus.jetstream
        config = (await jetstream.stream_info(self.stream.name)).config
        await jetstream.update_stream(config.evolve(republish=None))
        yield
        await jetstream.update_stream(config)


@contextlib.asynccontextmanager
async def events_on(server: Nats) -> AsyncIterator[Events]:
    """Makes the stream, and stores events in it."""
    async with running_bus(server) as bus:
        events = Events(bus)
        await events.stream.ensure()
        yield events


class Line:
    """A line to a server on this machine, which can be cut: nobody gets through then, and whoever was is cut off."""

    def __init__(self) -> None:
        self.port = free_port()
        self._whole = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._target = 0

    @property
    def url(self) -> str:
        return f"nats://{HOST}:{self.port}"

    @contextlib.asynccontextmanager
    async def to(self, port: int) -> AsyncIterator[None]:
        """Lead to `port`."""
        self._target = port
        async with await asyncio.start_server(self._connected, HOST, self.port):
            yield
            self.cut()

    def cut(self) -> None:
        self._whole = False
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        self._whole = True

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        there, to_there = await asyncio.open_connection(HOST, self._target)
        self._writers |= {writer, to_there}
        await asyncio.gather(_pump(reader, to_there), _pump(there, writer))
        self._writers -= {writer, to_there}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    writer.transport.abort()


def token_for(user: str, **options: Any) -> str:
    """A token that every gateway of these tests takes; the options are those of `issue_token`."""
    return issue_token(AUTH, user, **options)
