"""A creating request that is sent again, by accident or to be sure."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.edge import CurrentCaller, Edge
from chassis.errors import Conflict
from chassis.http import create_app
from chassis.idempotency import KEEP, KEY_MAX, IdempotentOnce

Sql = Callable[..., Awaitable[list[Any]]]
Serve = Callable[[FastAPI], Awaitable[httpx.AsyncClient]]
Bearer = Callable[..., dict[str, str]]
Release = Callable[[], Awaitable[object]]
Blocked = Callable[..., Awaitable[None]]
Post = Callable[..., Awaitable[httpx.Response]]

INSERT = text("INSERT INTO things (owner, note) VALUES (:owner, :note) RETURNING id, owner, note")


class NewThing(BaseModel):
    """What is posted."""

    note: str = Field(min_length=1)


class Thing(BaseModel):
    """What is answered."""

    id: int
    owner: str
    note: str


@pytest.fixture
def app(edge: Edge) -> FastAPI:
    """An application that creates things, once each."""
    made = create_app("Things", version="1", checks={})
    edge.attach(made)

    async def insert(connection: AsyncConnection, owner: str, note: str) -> Thing:
        row = (await connection.execute(INSERT, {"owner": owner, "note": note})).one()
        if note == "refused":
            raise Conflict("there is one already")
        return Thing.model_validate(row, from_attributes=True)

    @made.post("/things")
    async def create(caller: CurrentCaller, once: IdempotentOnce, new: NewThing) -> Response:
        return await once.run(201, lambda connection: insert(connection, caller.user_id, new.note))

    @made.post("/others")
    async def create_another(caller: CurrentCaller, once: IdempotentOnce, new: NewThing) -> Response:
        return await once.run(201, lambda connection: insert(connection, caller.user_id, new.note))

    return made


@pytest.fixture
async def post(app: FastAPI, serve: Serve, bearer: Bearer) -> Post:
    """`await post("alice", "a key", {"note": "a"})`: alice creates a thing with a key."""
    client = await serve(app)

    async def send(name: str, key: str | None, body: object, *, path: str = "/things") -> httpx.Response:
        headers = bearer(name) | ({"Idempotency-Key": key} if key is not None else {})
        return await client.post(path, json=body, headers=headers)

    return send


async def things(sql: Sql) -> list[tuple[str, str]]:
    return [(row["owner"], row["note"]) for row in await sql("SELECT owner, note FROM things ORDER BY id")]


async def test_the_same_request_again_gets_the_first_answer_and_makes_nothing(post: Post, sql: Sql) -> None:
    """And can tell by a header that it is the first one."""
    first = await post("alice", "key", {"note": "a ☂"})
    again = await post("alice", "key", {"note": "a ☂"})
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await things(sql) == [("alice", "a ☂")]


async def test_another_key_or_none_makes_another_thing(post: Post, sql: Sql) -> None:
    """The twin: it is the key that tells."""
    for key in ("one", "two", None, None):
        assert (await post("alice", key, {"note": "a"})).status_code == 201
    assert len(await things(sql)) == 4


async def test_a_key_that_was_used_for_another_request_is_422(post: Post, sql: Sql) -> None:
    """Another body or another path; the first request still has its answer."""
    first = await post("alice", "key", {"note": "a"})
    for other in (await post("alice", "key", {"note": "b"}), await post("alice", "key", {"note": "a"}, path="/others")):
        assert other.status_code == 422
        assert other.json()["errors"][0]["field"] == "Idempotency-Key"
    assert (await post("alice", "key", {"note": "a"})).json() == first.json()
    assert await things(sql) == [("alice", "a")]


async def test_keys_are_each_users_own(post: Post, sql: Sql) -> None:
    """Somebody else's key neither answers nor refuses anything."""
    alices = await post("alice", "key", {"note": "a"})
    bobs = await post("bob", "key", {"note": "a"})
    carols = await post("carol", "key", {"note": "c"})
    assert [alices.json()["owner"], bobs.json()["owner"], carols.json()["owner"]] == ["alice", "bob", "carol"]
    assert await things(sql) == [("alice", "a"), ("bob", "a"), ("carol", "c")]


async def test_of_two_requests_at_the_same_time_one_makes_the_thing_and_both_get_it(
    post: Post, sql: Sql, slow_commits: Release, blocked: Blocked
) -> None:
    """The second waits for the commit of the first."""
    requests = [asyncio.ensure_future(post("alice", "key", {"note": "a"})) for _ in range(2)]
    await blocked(2)
    await slow_commits()
    answers = await asyncio.gather(*requests)
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert await things(sql) == [("alice", "a")]


async def test_a_second_request_makes_the_thing_when_the_first_one_fails_meanwhile(
    post: Post, sql: Sql, slow_commits: Release, blocked: Blocked
) -> None:
    """It waited for nothing, and is the first one now."""
    first = asyncio.ensure_future(post("alice", "key", {"note": "a"}))
    await blocked()
    second = asyncio.ensure_future(post("alice", "key", {"note": "a"}))
    await blocked(2)
    waiting = "datname = current_database() AND wait_event = 'advisory'"
    await sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {waiting}")  # noqa: S608
    assert (await first).status_code == 503
    await slow_commits()
    assert (await second).status_code == 201
    assert await things(sql) == [("alice", "a")]


async def test_a_request_that_failed_leaves_no_key_behind(post: Post, sql: Sql) -> None:
    """Tried again with a good body, it succeeds under the same key."""
    assert (await post("alice", "key", {"note": "refused"})).status_code == 409
    assert (await post("alice", "key", {"note": ""})).status_code == 422
    assert (await sql("SELECT key FROM idempotency_keys"), await things(sql)) == ([], [])
    assert (await post("alice", "key", {"note": "a"})).status_code == 201


async def test_old_keys_are_forgotten_and_younger_ones_are_not(post: Post, sql: Sql) -> None:
    """Each request with a key takes some of the old ones away, so that they do not pile up."""
    for name in ("one", "two", "three", "young"):
        await post("alice", name, {"note": name})
    await age(sql, KEEP + dt.timedelta(minutes=1), ["one", "two", "three"])
    await age(sql, KEEP - dt.timedelta(minutes=1), ["young"])
    for _ in range(2):
        await post("bob", "bobs", {"note": "b"})
    kept = {row["key"] for row in await sql("SELECT key FROM idempotency_keys")}
    assert kept == {"young", "bobs"}


async def age(sql: Sql, by: dt.timedelta, keys: list[str]) -> None:
    await sql("UPDATE idempotency_keys SET at = now() - $1::interval WHERE key = ANY($2)", by, keys)


@pytest.mark.parametrize(("key", "status"), [("", 422), ("k" * KEY_MAX, 201), ("k" * (KEY_MAX + 1), 422)])
async def test_a_key_that_is_empty_or_too_long_is_refused(post: Post, sql: Sql, key: str, status: int) -> None:
    """With the header's name."""
    answer = await post("alice", key, {"note": "a"})
    assert answer.status_code == status
    assert status == 201 or [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]
    assert len(await things(sql)) == (status == 201)
