"""What the tests of inbox_service share: its HTTP side in process, on a real database."""

import contextlib
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
from chassis.settings import AuthSettings
from contracts.subjects import user_id
from inbox_service.app import MIGRATIONS, create_http
from inbox_service.settings import Settings


@pytest.fixture(scope="session")
def auth() -> AuthSettings:
    """How tokens are checked."""
    return AuthSettings(secret="a secret for tests, of 32 characters and more")


@pytest.fixture
async def database(inbox_url: str) -> AsyncIterator[Database]:
    """An empty database of this service."""
    opened = Database(inbox_url, application_name="test")
    yield opened
    await opened.close()


@pytest.fixture
async def away(server_dir: Path) -> AsyncIterator[Database]:
    """A database whose server is not there."""
    absent = Database(f"postgresql+asyncpg://postgres@/inbox?host={server_dir}", application_name="test")
    yield absent
    await absent.close()


@pytest.fixture
def app_on(auth: AuthSettings) -> Callable[..., FastAPI]:
    """Makes the HTTP side on a database. Its bus need not be connected: only readiness asks for it."""

    def make(database: Database, bus: Bus | None = None) -> FastAPI:
        edge = Edge(database, Authenticator.of(auth), identify=user_id)
        settings = Settings(INBOX_DATABASE_URL="postgresql+asyncpg://")
        bus = bus or Bus(("nats://127.0.0.1:1",), name="never connected")
        return create_http(edge, settings, auth, bus, head(MIGRATIONS))

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

        def make(app: FastAPI, name: str = "", *, scope: str = "", token: str | None = None) -> httpx.AsyncClient:
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/v1/inbox")
            token = issue_token(auth, name, scope=scope) if token is None else token
            client.headers["Authorization"] = f"Bearer {token}"
            clients.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture
def alice(client_on: Callable[..., httpx.AsyncClient], app: FastAPI) -> httpx.AsyncClient:
    """Whose inbox it is."""
    return client_on(app, "alice")


@pytest.fixture
def bob(client_on: Callable[..., httpx.AsyncClient], app: FastAPI) -> httpx.AsyncClient:
    """Somebody else."""
    return client_on(app, "bob")


@pytest.fixture
def writer(client_on: Callable[..., httpx.AsyncClient], app: FastAPI) -> httpx.AsyncClient:
    """Another service, which may put items into inboxes."""
    return client_on(app, "billing", scope="openid inbox:write")


@pytest.fixture
def put(writer: httpx.AsyncClient) -> Callable[..., Awaitable[str]]:
    """`await put("alice", title="...")` puts an item into her inbox and returns its id."""

    async def made(recipient: str, **fields: Any) -> str:
        item = {"recipient_id": recipient, "kind": "notice", "title": "Something happened", **fields}
        answer = await writer.post("/items", json=item)
        assert answer.status_code == 201, answer.text
        made_id: str = answer.json()["id"]
        return made_id

    return made


@pytest.fixture
async def sql(inbox_url: str) -> AsyncIterator[Callable[..., Awaitable[list[asyncpg.Record]]]]:
    """What somebody at psql can do: `await sql("SELECT ... $1", value)`."""
    connection = await asyncpg.connect(inbox_url.replace("+asyncpg", ""))
    yield connection.fetch
    await connection.close()
