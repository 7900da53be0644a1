"""What the tests of connection_service share: its HTTP side in process, on a real database, with a clock to set."""

import contextlib
import datetime as dt
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from chassis.auth import Authenticator, issue_token
from chassis.bus import Bus
from chassis.database import Database
from chassis.edge import Edge
from chassis.migrate import head
from chassis.revocations import Revocations
from chassis.settings import AuthSettings
from chassis.streams import Stream
from connection_service.app import MIGRATIONS, create_http
from connection_service.settings import Settings
from contracts import streams
from contracts.revocations import read_revocation
from contracts.subjects import user_id

Person = Callable[[str], httpx.AsyncClient]


@pytest.fixture(scope="session")
def auth() -> AuthSettings:
    """How tokens are checked."""
    return AuthSettings(secret="a secret for tests, of 32 characters and more")


@pytest.fixture
async def database(connection_url: str) -> AsyncIterator[Database]:
    """An empty database of this service."""
    opened = Database(connection_url, application_name="test")
    yield opened
    await opened.close()


@pytest.fixture
async def away(server_dir: Path) -> AsyncIterator[Database]:
    """A database whose server is not there."""
    absent = Database(f"postgresql+asyncpg://postgres@/inbox?host={server_dir}", application_name="test")
    yield absent
    await absent.close()


@pytest.fixture
def times() -> list[dt.datetime]:
    """The clock: the last entry is what time it is."""
    return [dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)]


@pytest.fixture
def set_clock(times: list[dt.datetime]) -> Callable[[str], None]:
    """`set_clock("2026-03-01T23:59:59Z")`."""
    return lambda moment: times.append(dt.datetime.fromisoformat(moment))


@pytest.fixture
def app_on(auth: AuthSettings, times: list[dt.datetime]) -> Callable[..., FastAPI]:
    """Makes the HTTP side on a database. Its bus need not be connected: only readiness asks for it."""

    def make(database: Database, bus: Bus | None = None) -> FastAPI:
        edge = Edge(database, Authenticator.of(auth), identify=user_id, clock=lambda: times[-1])
        settings = Settings(CONNECTION_DATABASE_URL="postgresql+asyncpg://")
        bus = bus or Bus(("nats://127.0.0.1:1",), name="never connected")
        stream = Stream(bus, streams.REVOCATIONS, replicas=1)
        revocations = Revocations(stream, read=read_revocation, kept=streams.REVOCATIONS.max_age)
        return create_http(edge, settings, auth, bus, head(MIGRATIONS), revocations)

    return make


@pytest.fixture
def app(app_on: Callable[..., FastAPI], database: Database) -> FastAPI:
    """The HTTP side on the empty database."""
    return app_on(database)


@pytest.fixture
def app_away(app_on: Callable[..., FastAPI], away: Database) -> FastAPI:
    """The HTTP side without a database: what gets past the checks of the input gets 503."""
    return app_on(away)


@pytest.fixture
async def client_on(auth: AuthSettings) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """Makes clients: `client_on(app, "alice")` is alice's, `client_on(app, token="...")` sends that token."""
    async with contextlib.AsyncExitStack() as clients:

        def make(app: FastAPI, name: str = "", *, token: str | None = None) -> httpx.AsyncClient:
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/v1")
            client.headers["Authorization"] = f"Bearer {issue_token(auth, name) if token is None else token}"
            clients.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture
def person(client_on: Callable[..., httpx.AsyncClient], app: FastAPI) -> Person:
    """`person("dave")` is dave's client."""
    return functools.partial(client_on, app)


@pytest.fixture
def alice(person: Person) -> httpx.AsyncClient:
    """The one who invites."""
    return person("alice")


@pytest.fixture
def bob(person: Person) -> httpx.AsyncClient:
    """The one who accepts."""
    return person("bob")


@pytest.fixture
def carol(person: Person) -> httpx.AsyncClient:
    """Somebody else."""
    return person("carol")


@pytest.fixture
def code_of() -> Callable[..., Awaitable[str]]:
    """`await code_of(alice)` is a code of hers."""

    async def invited(inviter: httpx.AsyncClient, **wish: str) -> str:
        answer = await inviter.post("/partnership/invites", json=wish)
        assert answer.status_code == 201, answer.text
        code: str = answer.json()["code"]
        return code

    return invited


@pytest.fixture
def join(code_of: Callable[..., Awaitable[str]]) -> Callable[..., Awaitable[dict[str, Any]]]:
    """`await join(alice, bob, time_zone="UTC")` makes partners of two people."""

    async def joined(one: httpx.AsyncClient, other: httpx.AsyncClient, **wish: str) -> dict[str, Any]:
        answer = await other.post("/partnership/accept", json={"code": await code_of(one, **wish)})
        assert answer.status_code == 201, answer.text
        partnership: dict[str, Any] = answer.json()
        return partnership

    return joined


@pytest.fixture
async def sql(connection_url: str) -> AsyncIterator[Callable[..., Awaitable[list[asyncpg.Record]]]]:
    """What somebody at psql can do: `await sql("SELECT ... $1", value)`."""
    connection = await asyncpg.connect(connection_url.replace("+asyncpg", ""))
    yield connection.fetch
    await connection.close()


@pytest.fixture
def somebody_waits(sql: Callable[..., Awaitable[list[asyncpg.Record]]]) -> Callable[[], Awaitable[bool]]:
    """Whether a transaction waits for another one; to be used with `until`."""

    async def waits() -> bool:
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(await sql(waiting))

    return waits
