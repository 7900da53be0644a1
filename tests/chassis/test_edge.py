"""What each request is given: a database on which it commits once, before the answer, and a caller."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from chassis.database import POOL_SIZE, Database
from chassis.edge import CurrentCaller, Edge, Now, TheDatabase
from chassis.errors import Conflict
from chassis.http import create_app
from chassis.rates import BURST, RateLimit

Sql = Callable[..., Awaitable[list[Any]]]
Serve = Callable[[FastAPI], Awaitable[httpx.AsyncClient]]
Bearer = Callable[..., dict[str, str]]
Release = Callable[[], Awaitable[object]]
Blocked = Callable[..., Awaitable[None]]

INSERT = text("INSERT INTO things (note) VALUES (:note)")


@pytest.fixture
def app(edge: Edge, sql: Sql) -> FastAPI:
    """An application that writes."""
    made = create_app("Things", version="1", checks={})
    edge.attach(made)

    @made.post("/things/{note}", status_code=201)
    async def create(database: TheDatabase, note: str) -> str:
        async with database.transaction() as connection:
            await connection.execute(INSERT, {"note": note})
            return note

    @made.post("/refused")
    async def refused(database: TheDatabase) -> None:
        async with database.transaction() as connection:
            await connection.execute(INSERT, {"note": "refused"})
            raise Conflict("no")

    @made.post("/failing")
    async def failing(database: TheDatabase) -> None:
        async with database.transaction() as connection:
            await connection.execute(INSERT, {"note": "failing"})
            raise LookupError("our fault")

    @made.post("/cut-off", status_code=201)
    async def cut_off(database: TheDatabase) -> None:
        async with database.transaction() as connection:
            await connection.execute(INSERT, {"note": "cut off"})
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))
            await sql("SELECT pg_terminate_backend($1, 5000)", pid)

    @made.get("/caller")
    async def caller(caller: CurrentCaller) -> str:
        return caller.user_id

    @made.get("/caller/fails")
    async def fails(caller: CurrentCaller) -> None:
        raise LookupError(caller.user_id)

    @made.get("/scoped")
    async def scoped(caller: CurrentCaller) -> None:
        caller.must_have("things:read")

    @made.get("/now")
    async def now(now: Now) -> dt.datetime:
        return now

    return made


@pytest.fixture
async def client(app: FastAPI, serve: Serve) -> httpx.AsyncClient:
    """Its client."""
    return await serve(app)


@pytest.fixture
def commits(database: Database) -> list[str]:
    """An entry for each time that somebody was told of a commit."""
    told: list[str] = []
    database.after_commit(lambda: told.append("committed"))
    return told


async def notes(sql: Sql) -> list[str]:
    return [row["note"] for row in await sql("SELECT note FROM things ORDER BY id")]


async def test_what_was_answered_2xx_is_committed(client: httpx.AsyncClient, sql: Sql, commits: list[str]) -> None:
    """And whoever wants to know of commits is told, once."""
    assert (await client.post("/things/a")).status_code == 201
    assert await notes(sql) == ["a"]
    assert commits == ["committed"]


async def test_no_answer_is_sent_and_nobody_is_woken_before_the_commit(
    client: httpx.AsyncClient, slow_commits: Release, blocked: Blocked, commits: list[str], sql: Sql
) -> None:
    """While the commit is under way there is neither."""
    request = asyncio.create_task(client.post("/things/a"))
    await blocked()
    assert (request.done(), commits, await notes(sql)) == (False, [], [])
    await slow_commits()
    assert (await request).status_code == 201
    assert (commits, await notes(sql)) == (["committed"], ["a"])


@pytest.mark.parametrize(("path", "status"), [("/refused", 409), ("/failing", 500)])
async def test_what_a_handler_wrote_before_it_raised_is_undone(
    client: httpx.AsyncClient, sql: Sql, commits: list[str], path: str, status: int
) -> None:
    """Whether it refused or failed, and nobody is woken."""
    assert (await client.post(path)).status_code == status
    assert (await notes(sql), commits) == ([], [])


async def test_a_commit_that_the_database_refuses_is_500(
    client: httpx.AsyncClient, sql: Sql, commits: list[str]
) -> None:
    """A constraint that is checked at the commit only: the handler had nothing to complain about."""
    await sql("ALTER TABLE things ADD UNIQUE (note) DEFERRABLE INITIALLY DEFERRED")
    assert (await client.post("/things/a")).status_code == 201
    with capture_logs() as lines:
        response = await client.post("/things/a")
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    assert [line["event"] for line in lines] == ["a request failed"]
    assert (await notes(sql), commits) == (["a"], ["committed"])


async def test_a_connection_that_is_lost_before_the_commit_is_503(
    client: httpx.AsyncClient, sql: Sql, commits: list[str]
) -> None:
    """Nothing was written, nobody is woken, and the next request has a connection again."""
    response = await client.post("/cut-off")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert (await notes(sql), commits) == ([], [])
    assert (await client.post("/things/a")).status_code == 201


async def test_a_connection_that_is_lost_during_the_commit_is_503(
    client: httpx.AsyncClient, slow_commits: Release, blocked: Blocked, commits: list[str], sql: Sql
) -> None:
    """Whether it was committed is not known, so it is not said."""
    request = asyncio.create_task(client.post("/things/a"))
    await blocked()
    waiting = "datname = current_database() AND wait_event_type = 'Lock'"
    await sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {waiting}")  # noqa: S608
    response = await request
    assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
    assert "nothing was changed" not in response.text
    assert commits == []


async def test_the_caller_is_who_the_token_says(client: httpx.AsyncClient, bearer: Bearer) -> None:
    """And the time is what the clock says."""
    assert (await client.get("/caller", headers=bearer("alice"))).json() == "alice"
    assert (await client.get("/now")).json() == "2026-03-01T12:00:00Z"


async def test_without_a_good_token_it_is_401(client: httpx.AsyncClient) -> None:
    """As a problem, with the header that HTTP wants."""
    for given in ("", "Bearer", "Bearer x.y.z", "Basic YWxpY2U6"):
        response = await client.get("/caller", headers={"Authorization": given} if given else {})
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer"), given
        assert response.json()["status"] == 401


async def test_a_token_for_somebody_who_cannot_be_a_user_is_401(client: httpx.AsyncClient, bearer: Bearer) -> None:
    """However well it is signed."""
    for name in ("a.b", "*", ">", "a b", "", "a" * 65, "\u00e9", "alice\n", "\ud800"):
        response = await client.get("/caller", headers=bearer(name))
        assert response.status_code == 401, name
        assert response.json()["detail"]


async def test_a_token_without_the_scope_is_403(client: httpx.AsyncClient, bearer: Bearer) -> None:
    """The one with it, among others, is let in."""
    response = await client.get("/scoped", headers=bearer("alice", "things:write things:reader"))
    assert response.status_code == 403
    assert "things:read" in response.json()["detail"]
    assert (await client.get("/scoped", headers=bearer("alice", "other things:read"))).status_code == 200


async def test_a_user_may_ask_only_so_often(edge: Edge, serve: Serve, bearer: Bearer) -> None:
    """429 with the time to wait, for her alone; another service, which speaks for many, is not counted."""
    limited = create_app("Things", version="1", checks={})
    replace(edge, limit=RateLimit(1, clock=lambda: 1_000.0), unlimited=frozenset({"write"})).attach(limited)

    @limited.get("/caller")
    async def caller(caller: CurrentCaller) -> str:
        return caller.user_id

    client = await serve(limited)
    for _ in range(int(BURST)):
        assert (await client.get("/caller", headers=bearer("alice"))).status_code == 200
    refused = await client.get("/caller", headers=bearer("alice"))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (await client.get("/caller", headers=bearer("bob"))).status_code == 200
    assert (await client.get("/caller", headers=bearer("alice", "other write"))).status_code == 200


async def test_a_request_that_finds_no_free_connection_is_503(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told so instead of waiting for ever; here all connections are taken and nobody waits at all."""
    monkeypatch.setattr(database.engine.pool, "_timeout", 0.01)
    held = [await database.engine.connect() for _ in range(POOL_SIZE)]
    assert (await client.post("/things/a")).status_code == 503
    for connection in held:
        await connection.close()
    assert (await client.post("/things/a")).status_code == 201


async def test_log_lines_name_the_caller_and_the_request_and_never_the_token(
    client: httpx.AsyncClient, bearer: Bearer
) -> None:
    """Of this request: those of the next one name its own caller, or nobody."""
    alice = bearer("alice")
    with capture_logs(processors=[merge_contextvars]) as lines:
        await client.get("/caller/fails", headers={**alice, "X-Request-Id": "hers"})
        await client.post("/failing", headers={"X-Request-Id": "somebody's"})
    failed = [line for line in lines if line["event"] == "a request failed"]
    assert [(line["request_id"], line.get("user")) for line in failed] == [("hers", "alice"), ("somebody's", None)]
    assert alice["Authorization"].removeprefix("Bearer ") not in repr(lines)
