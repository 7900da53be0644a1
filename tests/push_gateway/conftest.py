"""What the tests of the gateway share: gateways in this process on a real NATS server, events, tokens and devices."""

import asyncio
import contextlib
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from contracts.frames import BEARER_PREFIX, SUBPROTOCOL
from devstack.ports import free_port
from devstack.processes import running
from tests.push_gateway.clients import Client
from tests.push_gateway.raw_client import RawClient
from tests.push_gateway.stage import Events, Gateway, MonitoredNats, events_on, running_gateway, token_for

_numbers = itertools.count()


@contextlib.asynccontextmanager
async def _running_nats(server_dir: Path) -> AsyncIterator[MonitoredNats]:
    folder = server_dir / f"push-nats-{next(_numbers)}"
    async with running(MonitoredNats(folder, free_port())) as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
async def shared_nats(server_dir: Path) -> AsyncIterator[MonitoredNats]:
    """The NATS server of the shared gateway."""
    async with _running_nats(server_dir) as server:
        yield server


@pytest.fixture(scope="session")
async def events(shared_nats: MonitoredNats) -> AsyncIterator[Events]:
    """Stores events where the shared gateway sees them."""
    async with events_on(shared_nats) as stored:
        yield stored


@pytest.fixture(scope="session")
async def gateway(shared_nats: MonitoredNats, events: Events) -> AsyncIterator[Gateway]:
    """The gateway of all tests that leave it and its NATS server whole; each has users of its own."""
    async with running_gateway(shared_nats, ALLOWED_ORIGINS="https://tandem.example") as running:
        yield running


@pytest.fixture
async def nats(server_dir: Path) -> AsyncIterator[MonitoredNats]:
    """A NATS server that the test may break."""
    async with _running_nats(server_dir) as server:
        yield server


@pytest.fixture
async def own_events(nats: MonitoredNats) -> AsyncIterator[Events]:
    """Stores events on it."""
    async with events_on(nats) as stored:
        yield stored


@pytest.fixture
async def own_gateway(nats: MonitoredNats, own_events: Events) -> AsyncIterator[Gateway]:
    """A gateway on it."""
    async with running_gateway(nats) as running:
        yield running


@pytest.fixture
def alice() -> str:
    """A user that no other test knows."""
    return f"alice-{next(_numbers)}"


@pytest.fixture
def bob() -> str:
    """Another one."""
    return f"bob-{next(_numbers)}"


class Connect(Protocol):
    """`await connect("alice")` gives a device of alice's, greeted or refused; it is closed when the test ends."""

    async def __call__(
        self, user: str = ..., *, to: Gateway | None = ..., token: str | None = ..., query: str = ..., **options: Any
    ) -> Client: ...


@pytest.fixture
async def connect(gateway: Gateway) -> AsyncIterator[Connect]:
    """Connects devices, to the shared gateway unless told otherwise, as a browser does unless given other headers."""
    clients: list[Client] = []

    async def open_client(
        user: str = "", *, to: Gateway | None = None, token: str | None = None, query: str = "", **options: Any
    ) -> Client:
        options.setdefault("subprotocols", (SUBPROTOCOL, BEARER_PREFIX + (token or token_for(user))))
        client = await Client.open((to or gateway).port, query=query, **options)
        clients.append(client)
        await client.begun()
        return client

    yield open_client
    await asyncio.gather(*(client.leave() for client in clients))


class ConnectRaw(Protocol):
    """`await connect_raw("alice")` gives a socket of alice's that does only what it is told."""

    async def __call__(
        self, user: str, *, to: Gateway | None = ..., token: str | None = ..., query: str = ..., early: bytes = ...
    ) -> RawClient: ...


@pytest.fixture
def connect_raw(gateway: Gateway) -> Iterator[ConnectRaw]:
    """Opens such sockets, to the shared gateway unless told otherwise; they vanish when the test ends."""
    clients: list[RawClient] = []

    async def open_raw(
        user: str, *, to: Gateway | None = None, token: str | None = None, query: str = "", early: bytes = b""
    ) -> RawClient:
        port = (to or gateway).port
        clients.append(await RawClient.open(port, token=token or token_for(user), query=query, early=early))
        return clients[-1]

    yield open_raw
    for client in clients:
        client.leave()
