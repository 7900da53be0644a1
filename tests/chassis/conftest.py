"""What the tests of the chassis share: a service of their own with one captured table, and what stands in a stream."""

import asyncio
import contextlib
import datetime as dt
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest
from nats.js.api import RawStreamMsg
from sqlalchemy import make_url
from starlette.types import ASGIApp

from chassis import migrate
from chassis.auth import Authenticator, issue_token
from chassis.bus import Bus
from chassis.database import Database
from chassis.edge import Edge
from chassis.http import HttpServer
from chassis.process import listen
from chassis.settings import AuthSettings
from chassis.streams import Stream
from contracts.streams import Shape
from contracts.subjects import user_id
from devstack.ports import HOST, free_port
from devstack.postgres import Postgres
from devstack.processes import running
from devstack.waiting import until

MIGRATIONS: Final = Path(__file__).parent / "migrations"
TEMPLATE: Final = "things_template"

THINGS: Final = Shape("THINGS", ("things.>",), max_age=dt.timedelta(days=1), duplicate_window=dt.timedelta(minutes=2))

Sql = Callable[..., Awaitable[list[Any]]]
"""`await sql("SELECT ...", argument)`: its rows, over a connection that the code under test knows nothing of."""

Serve = Callable[[ASGIApp], Awaitable[httpx.AsyncClient]]
"""`client = await serve(app)`: an application on a real socket."""

Bearer = Callable[..., dict[str, str]]
"""`bearer("alice", "a scope")`: the headers of a caller."""

Release = Callable[[], Awaitable[object]]

Blocked = Callable[..., Awaitable[None]]
"""`await blocked(2)`: until two transactions wait for a lock."""

Stored = Callable[[Stream], Awaitable[list[RawStreamMsg]]]
"""`await stored(stream)`: every message that stands in a stream, in order."""

_numbers = itertools.count()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of our own to the database at `url`."""
    place = make_url(url)
    connection = await asyncpg.connect(
        host=place.query["host"], port=int(str(place.query["port"])), user=place.username, database=place.database
    )
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def empty_url(postgres: Postgres) -> AsyncIterator[str]:
    """The URL of a database with nothing in it."""
    name = f"chassis_{next(_numbers)}"
    await postgres.create_databases(name)
    yield postgres.url(name)
    async with connected(postgres.url("postgres")) as admin:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
async def own_postgres(server_dir: Path) -> AsyncIterator[Postgres]:
    """A PostgreSQL server that tests may stop; they leave it running. It has a database `things`, migrated."""
    async with running(Postgres(server_dir / "own-postgres")) as server:
        await server.create_databases("things")
        await migrate.upgrade(server.url("things"), MIGRATIONS)
        yield server


@pytest.fixture(scope="session")
async def template(postgres: Postgres) -> str:
    """The migrated database of the tests' own service, to be copied."""
    await postgres.create_databases(TEMPLATE)
    await migrate.upgrade(postgres.url(TEMPLATE), MIGRATIONS)
    return TEMPLATE


@pytest.fixture
async def url(postgres: Postgres, template: str) -> AsyncIterator[str]:
    """The URL of an empty, migrated database of the tests' own service."""
    name = f"things_{next(_numbers)}"
    async with connected(postgres.url("postgres")) as admin:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield postgres.url(name)
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """It, as a service sees it."""
    opened = Database(url, application_name="test")
    yield opened
    await opened.close()


@pytest.fixture
async def sql(url: str) -> AsyncIterator[Sql]:
    """It, as psql sees it."""
    async with connected(url) as connection:
        yield connection.fetch


@pytest.fixture(scope="session")
def auth() -> AuthSettings:
    """How tokens are checked."""
    return AuthSettings(secret="a secret for tests, of 32 characters and more")


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves applications on real sockets until the test ends."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(app: ASGIApp) -> httpx.AsyncClient:
            port = free_port()
            server = asyncio.create_task(HttpServer(app, listen(HOST, port, variable="PORT")).run())
            stack.push_async_callback(asyncio.wait, [server])
            stack.callback(server.cancel)
            return await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://{HOST}:{port}"))

        yield start


@pytest.fixture
def edge(database: Database, auth: AuthSettings) -> Edge:
    """What an application on the tests' own database is put together with."""
    clock = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    return Edge(database, Authenticator.of(auth), identify=user_id, clock=lambda: clock)


@pytest.fixture
def bearer(auth: AuthSettings) -> Bearer:
    """The headers of a caller."""
    return lambda name, scope="": {"Authorization": f"Bearer {issue_token(auth, name, scope=scope)}"}


@pytest.fixture
async def slow_commits(sql: Sql) -> Release:
    """A commit that inserts a thing waits until `await slow_commits()`: a deferred trigger wants a lock of ours."""
    await sql(
        "CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END'"
    )
    await sql(
        "CREATE CONSTRAINT TRIGGER hold_up AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION hold_up()"
    )
    await sql("SELECT pg_advisory_lock(7)")
    return lambda: sql("SELECT pg_advisory_unlock(7)")


@pytest.fixture
def blocked(sql: Sql) -> Blocked:
    """Waits until so many transactions wait for a lock."""

    async def wait(number: int = 1) -> None:
        async def are_waiting() -> bool:
            waiting = "datname = current_database() AND wait_event_type = 'Lock'"
            return len(await sql(f"SELECT pid FROM pg_stat_activity WHERE {waiting}")) >= number  # noqa: S608

        assert await until(are_waiting, within=10)

    return wait


@pytest.fixture
async def things(bus: Bus) -> Stream:
    """The stream that events about things go to, with nothing in it."""
    stream = Stream(bus, THINGS, replicas=1)
    await stream.ensure()
    return stream


@pytest.fixture
def stored() -> Stored:
    """What stands in a stream."""

    async def read(stream: Stream) -> list[RawStreamMsg]:
        info = await stream.info()
        assert info is not None
        sequences = range(info.state.first_seq, info.state.last_seq + 1)
        return [await stream.bus.jetstream.get_msg(stream.name, sequence) for sequence in sequences]

    return read
