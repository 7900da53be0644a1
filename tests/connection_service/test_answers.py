"""Answers: one each, by the two partners only, and none after the end."""

import asyncio
import datetime as dt
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import AdaptedConnection, event

from chassis.database import Database
from connection_service import daily, partnerships
from devstack.waiting import until

Join = Callable[..., Awaitable[dict[str, Any]]]
Waits = Callable[[], Awaitable[bool]]
Sql = Callable[..., Awaitable[list[asyncpg.Record]]]


@pytest.fixture
async def asked(alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join) -> str:
    """The id of today's question to alice and bob."""
    await join(alice, bob)
    connection: str = (await alice.get("/daily-connections/today")).json()["id"]
    return connection


@pytest.fixture
def said(database: Database) -> list[str]:
    """What PostgreSQL is told, BEGIN and COMMIT too."""
    told: list[str] = []

    def log_transactions(connection: AdaptedConnection, *_: object) -> None:
        connection.driver_connection.add_query_logger(log)

    def log(query: asyncpg.connection.LoggedQuery) -> None:
        told.append(query.query)

    event.listen(database.engine.sync_engine, "checkout", log_transactions)
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *call: told.append(call[2]))
    return told


async def give(who: httpx.AsyncClient, connection: str, text: str = "The sea") -> httpx.Response:
    return await who.post(f"/daily-connections/{connection}/answers", json={"text": text})


async def test_an_answer_is_seen_by_both(alice: httpx.AsyncClient, bob: httpx.AsyncClient, asked: str) -> None:
    """It stands in the day's connection, by whoever gave it."""
    given = await give(alice, asked)
    assert given.status_code == 201
    answer = given.json()
    assert set(answer) == {"id", "connection_id", "author_id", "text", "created_at"}
    assert (answer["connection_id"], answer["author_id"], answer["text"]) == (asked, "alice", "The sea")
    assert answer["created_at"].endswith("Z")
    for one in (alice, bob):
        assert (await one.get("/daily-connections/today")).json()["answers"] == [answer]


async def test_each_of_the_two_answers_once(alice: httpx.AsyncClient, bob: httpx.AsyncClient, asked: str) -> None:
    """The partner's answer does not use up one's own; they stand in the order in which they were given."""
    given = [(await give(one, asked)).json() for one in (bob, alice)]
    assert (await bob.get("/daily-connections/today")).json()["answers"] == given


async def test_a_second_answer_is_refused_with_the_id_of_the_first(alice: httpx.AsyncClient, asked: str) -> None:
    """And changes nothing."""
    first = (await give(alice, asked, "The sea")).json()
    second = await give(alice, asked, "The mountains")
    assert second.status_code == 409
    assert second.headers["content-type"] == "application/problem+json"
    assert second.json()["answer_id"] == first["id"]
    assert (await alice.get("/daily-connections/today")).json()["answers"] == [first]


async def test_of_answers_given_at_once_one_is_kept(alice: httpx.AsyncClient, asked: str, sql: Sql) -> None:
    """The others are told its id."""
    answers = await asyncio.gather(*(give(alice, asked, f"answer {number}") for number in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    kept = (await sql("SELECT id::text FROM connection_answers"))[0]["id"]
    assert {answer.json().get("answer_id", answer.json().get("id")) for answer in answers} == {kept}


async def test_an_answer_keeps_its_line_ends_and_loses_the_blanks_around_it(
    alice: httpx.AsyncClient, asked: str
) -> None:
    """4,000 characters of any script fit."""
    text = "🌊\n\n" + "é" * 3_996 + "!"
    given = await give(alice, asked, f" \u3000{text}\n ")
    assert given.status_code == 201
    assert given.json()["text"] == text
    assert len(text) == 4_000


async def test_a_daily_connection_of_somebody_else_is_not_found(
    alice: httpx.AsyncClient,
    carol: httpx.AsyncClient,
    person: Callable[[str], httpx.AsyncClient],
    asked: str,
    join: Join,
) -> None:
    """For somebody without a partner, and for one of another pair; exactly like one that does not exist."""
    assert (await give(carol, asked)).status_code == 404
    await join(carol, person("dave"))
    foreign, missing = await give(carol, asked), await give(carol, str(uuid.uuid4()))
    assert (foreign.status_code, foreign.json()) == (missing.status_code, missing.json())
    assert foreign.status_code == 404
    assert (await alice.get("/daily-connections/today")).json()["answers"] == []


async def test_a_question_of_an_earlier_day_can_still_be_answered(
    alice: httpx.AsyncClient, asked: str, set_clock: Callable[[str], None]
) -> None:
    """There is no last day for it while the partnership lasts."""
    set_clock("2026-04-01T00:00:00Z")
    assert (await give(alice, asked)).status_code == 201


async def test_after_the_end_the_history_is_read_but_not_added_to(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, asked: str
) -> None:
    """By both, also by the one who did not end it, and also once there is a new partnership."""
    answer = (await give(alice, asked)).json()
    await bob.delete("/partnership")
    for one in (alice, bob):
        refused = await give(one, asked)
        assert refused.status_code == 409
        assert "ended" in refused.json()["detail"]
        history = (await one.get("/daily-connections")).json()["items"]
        assert [(day["id"], day["answers"]) for day in history] == [(asked, [answer])]


async def test_an_answer_that_is_being_written_is_waited_for_by_the_end(
    bob: httpx.AsyncClient, asked: str, database: Database, somebody_waits: Waits
) -> None:
    """Nobody sees an answer appear in a partnership that has ended."""
    async with database.transaction() as db:
        await daily.answer(db, "alice", uuid.UUID(asked), "just in time")
        ending = asyncio.create_task(bob.delete("/partnership"))
        assert await until(somebody_waits, within=5)
    assert (await ending).status_code == 204
    assert [answer["text"] for answer in (await bob.get("/daily-connections")).json()["items"][0]["answers"]] == [
        "just in time"
    ]


async def test_an_answer_that_comes_while_the_end_is_being_written_is_refused(
    bob: httpx.AsyncClient,
    asked: str,
    database: Database,
    sql: Sql,
    somebody_waits: Waits,
    times: list[dt.datetime],
) -> None:
    """It waits for the end, and then is told of it."""
    async with database.transaction() as db:
        await partnerships.end(db, "alice", now=times[-1])
        answering = asyncio.create_task(give(bob, asked))
        assert await until(somebody_waits, within=5)
    assert (await answering).status_code == 409
    assert await sql("SELECT FROM connection_answers") == []


async def test_an_answer_is_one_round_trip_to_the_database(
    alice: httpx.AsyncClient, asked: str, said: list[str]
) -> None:
    """Round trips are what it costs most."""
    assert (await give(alice, asked)).status_code == 201
    await asyncio.sleep(0)  # what asyncpg logs, it logs a moment later
    assert len(said) == 1


async def test_an_answer_with_a_key_is_five_of_them(alice: httpx.AsyncClient, asked: str, said: list[str]) -> None:
    """The key is claimed, and the answer remembered with it, in the transaction that makes it."""
    path, key = f"/daily-connections/{asked}/answers", {"Idempotency-Key": "a key"}
    assert (await alice.post(path, json={"text": "The sea"}, headers=key)).status_code == 201
    await asyncio.sleep(0)
    begun = sum(statement.startswith("BEGIN") for statement in said)
    assert (len(said), begun, said.count("COMMIT;")) == (5, 1, 1)
