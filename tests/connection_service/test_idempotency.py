"""`Idempotency-Key`: the same request sent again gets the first answer and makes no second row."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

Join = Callable[..., Awaitable[dict[str, Any]]]
Codes = Callable[..., Awaitable[str]]
Sql = Callable[..., Awaitable[list[asyncpg.Record]]]

KEY = {"Idempotency-Key": "0198c5a2-6d7e-7c31-9d0a-3f1b2c4d5e6f"}


@pytest.fixture
async def answers(alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join) -> str:
    """Where today's question to alice and bob is answered."""
    await join(alice, bob)
    return f"/daily-connections/{(await alice.get('/daily-connections/today')).json()['id']}/answers"


def assert_replayed(again: httpx.Response, first: httpx.Response) -> None:
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


async def test_an_invite_that_is_asked_for_again_is_the_same(alice: httpx.AsyncClient, sql: Sql) -> None:
    """Without a key, or with another one, there is a second invite."""
    first = await alice.post("/partnership/invites", headers=KEY)
    assert first.status_code == 201
    assert_replayed(await alice.post("/partnership/invites", headers=KEY), first)
    assert len(await sql("SELECT FROM invites")) == 1
    for headers in ({}, {"Idempotency-Key": "another"}):
        assert (await alice.post("/partnership/invites", headers=headers)).json() != first.json()
    assert len(await sql("SELECT FROM invites")) == 3


async def test_accepting_again_is_the_same_partnership(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, code_of: Codes
) -> None:
    """Not 410, as it would be without the key; also after the partnership has ended."""
    body = {"code": await code_of(alice)}
    first = await bob.post("/partnership/accept", json=body, headers=KEY)
    assert first.status_code == 201
    assert_replayed(await bob.post("/partnership/accept", json=body, headers=KEY), first)
    await alice.delete("/partnership")
    assert_replayed(await bob.post("/partnership/accept", json=body, headers=KEY), first)
    assert (await bob.post("/partnership/accept", json=body)).status_code == 410


async def test_answering_again_is_the_first_answer(alice: httpx.AsyncClient, answers: str, sql: Sql) -> None:
    """Not 409, as it would be without the key; and it is published once."""
    first = await alice.post(answers, json={"text": "The sea"}, headers=KEY)
    assert first.status_code == 201
    assert_replayed(await alice.post(answers, json={"text": "The sea"}, headers=KEY), first)
    assert (await alice.post(answers, json={"text": "The sea"})).status_code == 409
    assert len(await sql("SELECT FROM connection_answers")) == 1
    assert len(await sql("SELECT FROM changes WHERE table_name = 'connection_answers'")) == 1


async def test_the_same_request_sent_many_times_at_once_is_done_once(
    alice: httpx.AsyncClient, answers: str, sql: Sql
) -> None:
    """All get the one answer; all but one know that it is a repetition."""
    sent = [alice.post(answers, json={"text": "The sea"}, headers=KEY) for _ in range(8)]
    replies = await asyncio.gather(*sent)
    assert [reply.status_code for reply in replies] == [201] * 8
    assert all(reply.json() == replies[0].json() for reply in replies)
    assert sum("idempotency-replayed" in reply.headers for reply in replies) == 7
    assert len(await sql("SELECT FROM connection_answers")) == 1


async def test_a_key_belongs_to_one_request(alice: httpx.AsyncClient, answers: str, sql: Sql) -> None:
    """With another body or another path it is refused, and nothing is done."""
    await alice.post(answers, json={"text": "The sea"}, headers=KEY)
    for path, body in ((answers, {"text": "The mountains"}), ("/partnership/accept", {"text": "The sea", "code": "x"})):
        refused = await alice.post(path, json=body, headers=KEY)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "Idempotency-Key"
    assert len(await sql("SELECT FROM connection_answers")) == 1


async def test_a_key_belongs_to_one_person(alice: httpx.AsyncClient, bob: httpx.AsyncClient, answers: str) -> None:
    """Two partners whose clients choose the same key each get their own answer."""
    given = [await one.post(answers, json={"text": "The sea"}, headers=KEY) for one in (alice, bob)]
    assert [answer.json()["author_id"] for answer in given] == ["alice", "bob"]


async def test_a_request_that_was_refused_may_be_sent_again_with_its_key(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, code_of: Codes, join: Join
) -> None:
    """A refusal did nothing, so there is nothing to be done once: the second try is a first one."""
    code = await code_of(bob)
    await join(alice, bob)
    body = {"code": code}
    refused = await alice.post("/partnership/accept", json=body, headers=KEY)
    assert refused.status_code == 409
    await bob.delete("/partnership")
    accepted = await alice.post("/partnership/accept", json=body, headers=KEY)
    assert accepted.status_code == 201
    assert "idempotency-replayed" not in accepted.headers
