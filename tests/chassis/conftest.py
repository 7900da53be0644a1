"""What the tests of the chassis share: a service of their own with one captured table, and what stands in a stream."""

import asyncio
import contextlib
import datetime as dt
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final
from uuid import uuid5

import asyncpg
import httpx
import pytest
from nats.js.api import RawStreamMsg
from sqlalchemy import make_url
from starlette.types import ASGIApp

from chassis import migrate
from chassis.auth import Authenticator, issue_token
from chassis.bus import Bus
from chassis.changes import Change, Interpreter, Meaning, meaning_of
from chassis.database import Database
from chassis.edge import Edge
from chassis.http import HttpServer
from chassis.process import listen
from chassis.publisher import Message
from chassis.relay import Relay
from chassis.settings import AuthSettings
from chassis.streams import Stream
from contracts.streams import Shape
from contracts.subjects import user_id
from devstack.ports import HOST, free_port
from devstack.postgres import Postgres
from devstack.processes import running
from devstack.waiting import until
from tests.conftest import running_bus

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

Connect = Callable[..., AbstractAsyncContextManager[Bus]]
"""`async with connect(nats) as bus:`: a connection of its own."""

StartRelay = Callable[..., tuple[Relay, Database, asyncio.Task[None]]]
"""`relay, database, task = start_relay()`: one that runs, its database, and its task to be cancelled."""

Insert = Callable[..., Awaitable[None]]
"""`await insert("a", "b", owner="alice")`: two things, in one transaction."""

Marks = Callable[[], Awaitable[list[tuple[str, int]]]]
"""`await marks()`: the note and the mark of each change, by id, as soon as all are marked."""

Stored = Callable[..., Awaitable[list[RawStreamMsg]]]
"""`await stored(stream, first=7)`: every message that stands in a stream from a sequence on, in order."""

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


@pytest.fixture(scope="module")
async def serve() -> AsyncIterator[Serve]:
    """Serves applications on real sockets until the module's last test ends."""
    servers: list[asyncio.Task[None]] = []
    async with contextlib.AsyncExitStack() as clients:

        async def start(app: ASGIApp) -> httpx.AsyncClient:
            port = free_port()
            servers.append(asyncio.create_task(HttpServer(app, listen(HOST, port, variable="PORT")).run()))
            return await clients.enter_async_context(httpx.AsyncClient(base_url=f"http://{HOST}:{port}"))

        yield start
    for server in servers:
        server.cancel()
    await asyncio.wait(servers)


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
def connect() -> Connect:
    """Makes connections to NATS."""
    return running_bus


@pytest.fixture
async def things(bus: Bus) -> Stream:
    """The stream that events about things go to, with nothing in it."""
    stream = Stream(bus, THINGS, replicas=1)
    await stream.ensure()
    return stream


@pytest.fixture
def stored() -> Stored:
    """What stands in a stream."""

    async def read(stream: Stream, first: int = 1) -> list[RawStreamMsg]:
        info = await stream.info()
        assert info is not None
        sequences = list(range(max(first, info.state.first_seq), info.state.last_seq + 1))
        messages: list[RawStreamMsg] = []
        while len(messages) < len(sequences):
            some = sequences[len(messages) : len(messages) + 500]
            messages += await asyncio.gather(*(stream.bus.jetstream.get_msg(stream.name, each) for each in some))
        return messages

    return read


def interpret(batch: Sequence[Change]) -> Sequence[Meaning]:
    """A message for each change of a thing; what stands in its note can make that fail in all ways there are."""
    if "spoils" in {change.row["note"] for change in batch}:
        raise LookupError("one of them spoils all")
    return [meaning_of(change, _messages) for change in batch]


INTERPRETER = Interpreter("1 / CASE change.row ->> 'note' WHEN 'divides' THEN 0 ELSE 1 END", interpret)
"""Its context makes the statement fail for what divides."""


def _messages(change: Change) -> list[Message]:
    note = change.row["note"]
    if note == "unmappable":
        raise ValueError("it has no meaning")
    if note == "nothing":
        return []
    ids = [change.event_id, uuid5(change.event_id, "second")] if note == "double" else [change.event_id]
    body = b"x" * 2_000_000 if note == "huge" else note.encode()
    subject = f"things.{change.row['owner']}.{change.op}"
    return [Message(str(each), subject, {"Nats-Msg-Id": str(each)}, body) for each in ids]


@pytest.fixture
async def start_relay(url: str, things: Stream) -> AsyncIterator[StartRelay]:
    """Starts relays, each as if in a process of its own; those that run in the end are stopped."""
    relays: list[tuple[asyncio.Task[None], Database]] = []
    ended: list[asyncio.Task[None]] = []

    def start(*, at: str = url, ends: bool = False, **options: Any) -> tuple[Relay, Database, asyncio.Task[None]]:
        database = Database(at, application_name="relay")
        relay = Relay(
            database,
            things,
            revision="0001",
            nudge="relay.things",
            subjects="things.>",
            interpreter=INTERPRETER,
            **options,
        )
        database.after_commit(relay.wake)
        task = asyncio.create_task(relay.run())
        relays.append((task, database))
        if ends:
            ended.append(task)
        return relay, database, task

    yield start
    for task, database in relays:
        assert task in ended or task.cancelled() or not task.done(), "a relay goes on whatever is away"
        task.cancel()
        await asyncio.wait([task])
        await database.close()


@pytest.fixture
def insert(sql: Sql) -> Insert:
    """Inserts things."""

    async def commit(*notes: str, owner: str = "alice") -> None:
        await sql("INSERT INTO things (owner, note) SELECT $1, unnest($2::text[])", owner, list(notes))

    return commit


@pytest.fixture
def marks(sql: Sql) -> Marks:
    """What became of the changes."""

    async def read() -> list[tuple[str, int]]:
        async def all_marked() -> bool:
            return not await sql("SELECT FROM changes WHERE seq IS NULL LIMIT 1")

        assert await until(all_marked, within=20)
        rows = await sql("SELECT row ->> 'note' AS note, seq FROM changes ORDER BY id")
        return [(row["note"], row["seq"]) for row in rows]

    return read
