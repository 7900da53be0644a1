"""One transaction at a time, and what it means when there is none to be had."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from chassis.database import POOL_SIZE, Database, is_unavailable
from chassis.edge import Edge, TheDatabase
from chassis.http import create_app
from chassis.settings import AuthSettings
from devstack.postgres import Postgres
from devstack.waiting import until

Sql = Callable[..., Awaitable[list[Any]]]
Serve = Callable[[FastAPI], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def opened(own_postgres: Postgres) -> AsyncIterator[Database]:
    """A database on a server that may be stopped."""
    database = Database(own_postgres.url("things"), application_name="test")
    yield database
    await database.close()


async def execute(database: Database, statement: str, **values: object) -> Any:
    async with database.transaction() as connection:
        return await connection.scalar(text(statement), values)


async def test_a_transaction_is_committed_when_its_block_ends(database: Database, sql: Sql) -> None:
    """Not before, and then those who asked for it are called in turn."""
    called: list[str] = []
    database.after_commit(lambda: called.append("first"))
    database.after_commit(lambda: called.append("second"))
    async with database.transaction() as connection:
        await connection.execute(text("INSERT INTO things (note) VALUES ('a')"))
        assert (await sql("SELECT note FROM things"), called) == ([], [])
    assert [row["note"] for row in await sql("SELECT note FROM things")] == ["a"]
    assert called == ["first", "second"]


async def test_a_statement_is_committed_when_it_has_ended(database: Database, sql: Sql) -> None:
    """By itself. Those who asked are called when the block ends; if it raises, they find out by themselves."""
    called: list[str] = []
    database.after_commit(lambda: called.append("committed"))
    async with database.statement() as connection:
        await connection.execute(text("INSERT INTO things (note) VALUES ('a')"))
        assert [row["note"] for row in await sql("SELECT note FROM things")] == ["a"]
        assert called == []
    assert called == ["committed"]
    with pytest.raises(LookupError):
        async with database.statement():
            raise LookupError
    assert called == ["committed"]


async def test_who_only_reads_wakes_nobody(database: Database, sql: Sql) -> None:
    """And sees what is committed when a statement begins."""
    called: list[str] = []
    database.after_commit(lambda: called.append("committed"))
    async with database.reading() as connection:
        for number in (0, 1):
            assert await connection.scalar(text("SELECT count(*) FROM things")) == number
            await sql("INSERT INTO things (note) VALUES ('a')")
    assert called == []


async def test_the_connections_of_a_burst_are_kept(database: Database, sql: Sql) -> None:
    """To open one for each request of the next burst would cost more than the requests."""
    mine = "SELECT pid FROM pg_stat_activity WHERE application_name = 'test' AND datname = current_database()"
    opened = []
    for _ in range(2):
        burst = [await database.engine.connect() for _ in range(POOL_SIZE)]
        opened.append({row["pid"] for row in await sql(mine)})
        for connection in burst:
            await connection.close()
    assert opened[0] == opened[1]
    assert len(opened[0]) >= POOL_SIZE


async def test_a_connection_that_was_lent_for_a_statement_is_fit_for_a_transaction(
    database: Database, sql: Sql
) -> None:
    """It does not go on committing by itself."""
    pids = []
    async with database.statement() as connection:
        pids.append(await connection.scalar(text("SELECT pg_backend_pid()")))
    async with database.transaction() as connection:
        pids.append(await connection.scalar(text("SELECT pg_backend_pid()")))
        await connection.execute(text("INSERT INTO things (note) VALUES ('a')"))
        assert await sql("SELECT FROM things") == []
    assert pids[0] == pids[1]


async def test_a_transaction_is_undone_when_its_block_raises_or_is_cancelled(database: Database, sql: Sql) -> None:
    """Its connection is fit for the next one."""
    called: list[str] = []
    database.after_commit(lambda: called.append("committed"))
    entered = asyncio.Event()

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(text("INSERT INTO things (note) VALUES ('a')"))
        entered.set()

    async def fail() -> None:
        async with database.transaction() as connection:
            await write(connection)
            raise LookupError

    async def hang() -> None:
        async with database.transaction() as connection:
            await write(connection)
            await asyncio.Event().wait()

    with pytest.raises(LookupError):
        await fail()
    entered.clear()
    hanging = asyncio.create_task(hang())
    await entered.wait()
    hanging.cancel()
    await asyncio.wait([hanging])
    assert (await sql("SELECT note FROM things"), called) == ([], [])
    assert await execute(database, "SELECT 1") == 1


async def test_a_session_is_in_utc_and_names_its_service(url: str) -> None:
    """So that the log of PostgreSQL tells whose statement it was."""
    database = Database(url, application_name="things_service")
    assert await execute(database, "SHOW timezone") == "UTC"
    assert await execute(database, "SHOW application_name") == "things_service"
    await database.close()


async def test_a_statement_that_is_wrong_does_not_say_that_the_database_is_away(database: Database) -> None:
    """To try it again would not help."""
    for statement in (
        "SELECT nonsense",
        "SELECT 1 / 0",
        "SELECT CAST('x' AS integer)",
        "INSERT INTO things (id, owner) VALUES (1, NULL)",
        "INSERT INTO things (id) VALUES (1), (1)",
        "DO $$ BEGIN RAISE 'cancelled' USING ERRCODE = 'query_canceled'; END $$",
    ):
        with pytest.raises(exc.DBAPIError) as refused:
            await execute(database, statement)
        assert not is_unavailable(refused.value), statement


async def test_a_value_that_is_wrong_does_not_say_that_the_database_is_away(database: Database) -> None:
    """Also where the driver refuses it before the database sees it."""
    for value, kind in (("a\x00b", "text"), ("\ud800", "text"), (10**20, "bigint"), (object(), "text")):
        with pytest.raises(exc.DBAPIError) as refused:
            await execute(database, f"SELECT CAST(:value AS {kind})", value=value)
        assert not is_unavailable(refused.value), value


async def test_a_connection_that_is_ended_from_outside_says_that_the_database_is_away(database: Database) -> None:
    """In the middle of a statement or between two; the next transaction has another one."""
    with pytest.raises(exc.DBAPIError) as cut:
        await execute(database, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_unavailable(cut.value)

    async def cut_between() -> None:
        async with database.transaction() as connection:
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))
            await execute(database, "SELECT pg_terminate_backend(:pid, 5000)", pid=pid)
            await connection.execute(text("SELECT 1"))

    with pytest.raises(exc.DBAPIError) as cut:
        await cut_between()
    assert is_unavailable(cut.value)
    assert await execute(database, "SELECT 1") == 1


async def test_a_server_that_stops_starts_or_is_full_is_away(database: Database) -> None:
    """It says so in so many words."""
    for code in ("08006", "53100", "53200", "57P01", "57P02", "57P03"):
        with pytest.raises(exc.DBAPIError) as refused:
            await execute(database, f"DO $$ BEGIN RAISE 'away' USING ERRCODE = '{code}'; END $$")
        assert is_unavailable(refused.value), code


async def test_a_transaction_that_was_undone_to_end_a_deadlock_may_be_tried_again(database: Database) -> None:
    """It was not its fault: what a service does in one statement can cross what somebody types."""
    await execute(database, "INSERT INTO things (id, owner) VALUES (1, 'alice'), (2, 'alice') RETURNING id")

    async def touch(first: int, second: int, met: asyncio.Barrier) -> None:
        async with database.transaction() as connection:
            await connection.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
            await connection.execute(text("UPDATE things SET owner = 'bob' WHERE id = :id"), {"id": first})
            await met.wait()
            await connection.execute(text("UPDATE things SET owner = 'bob' WHERE id = :id"), {"id": second})

    met = asyncio.Barrier(2)
    ends = await asyncio.gather(touch(1, 2, met), touch(2, 1, met), return_exceptions=True)
    (victim,) = [end for end in ends if end is not None]
    assert is_unavailable(victim)


async def test_a_server_without_a_free_connection_says_that_the_database_is_away(url: str, sql: Sql) -> None:
    """It is full, and that passes."""
    await sql("DROP ROLE IF EXISTS limited")
    await sql("CREATE ROLE limited LOGIN CONNECTION LIMIT 0")
    database = Database(url.replace("postgres@", "limited@"), application_name="test")
    with pytest.raises(exc.DBAPIError) as refused:
        await execute(database, "SELECT 1")
    assert is_unavailable(refused.value)
    await database.close()
    await sql("DROP ROLE limited")


async def test_a_database_that_does_not_exist_is_not_away(url: str) -> None:
    """Somebody has to do something about it: to wait would hide that."""
    database = Database(f"{url.partition('?')[0]}_nowhere?{url.partition('?')[2]}", application_name="test")
    with pytest.raises(exc.DBAPIError, match="does not exist"):
        await database.ready("0001")
    await database.close()


async def test_it_is_ready_when_its_schema_is_the_wanted_one(database: Database, empty_url: str) -> None:
    """One that was never migrated is not, and that is no error."""
    assert await database.ready("0001")
    assert not await database.ready("0002")
    empty = Database(empty_url, application_name="test")
    assert not await empty.ready("0001")
    await empty.close()


async def test_waiting_for_a_database_ends_when_it_has_been_migrated(empty_url: str) -> None:
    """It is said once that it is waited for."""
    database = Database(empty_url, application_name="test")
    with capture_logs() as lines:
        waiting = asyncio.create_task(database.wait_until_ready("0001"))
        assert await until(lambda: len(lines) > 0, within=10)
        async with database.transaction() as connection:
            await connection.execute(text("CREATE TABLE alembic_version AS SELECT '0001'::text AS version_num"))
        async with asyncio.timeout(10):
            await waiting
    assert [line["revision"] for line in lines] == ["0001"]
    await database.close()


async def test_requests_are_503_while_the_server_is_away_and_succeed_when_it_is_back(
    own_postgres: Postgres, opened: Database, auth: AuthSettings, serve: Serve
) -> None:
    """Nothing has to be started again. While the server starts it is away too, whatever it says of itself."""
    app = create_app("Things", version="1", checks={"database": lambda: opened.ready("0001")})
    Edge(opened, None, identify=str).attach(app)  # type: ignore[arg-type] # nobody has to be known

    @app.get("/things")
    async def count(database: TheDatabase) -> Any:
        async with database.reading() as connection:
            return await connection.scalar(text("SELECT count(*) FROM things"))

    client = await serve(app)
    assert (await client.get("/things")).json() == 0
    await own_postgres.stop()
    with capture_logs():
        away = [await client.get("/things") for _ in range(3)]
        assert [(each.status_code, each.headers["retry-after"]) for each in away] == [(503, "1")] * 3
        assert (await client.get("/readyz")).json() == {"ready": False, "database": False}
        starting = asyncio.create_task(own_postgres.start())
        seen = set()
        while not starting.done():
            seen.add((await client.get("/things")).status_code)
        await starting
        assert seen <= {200, 503}

        async def answers() -> bool:
            return (await client.get("/things")).status_code == 200

        assert await until(answers, within=10)
    assert (await client.get("/readyz")).json() == {"ready": True, "database": True}
