"""When a relay carries changes, and which one of several does: whoever is away comes back, and it goes on."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.js.api import RawStreamMsg
from sqlalchemy import event, text
from sqlalchemy.exc import ProgrammingError

import chassis.leadership
import chassis.relay
from chassis.bus import Bus
from chassis.database import Database
from chassis.relay import Relay
from chassis.streams import Stream
from devstack.nats import Nats
from devstack.postgres import Postgres
from devstack.waiting import until

Sql = Callable[..., Awaitable[list[Any]]]
Stored = Callable[..., Awaitable[list[RawStreamMsg]]]
StartRelay = Callable[..., tuple[Relay, Database, asyncio.Task[None]]]
Insert = Callable[..., Awaitable[None]]
Marks = Callable[[], Awaitable[list[tuple[str, int]]]]


def bodies(stored: Sequence[RawStreamMsg]) -> list[str]:
    return [(each.data or b"").decode() for each in stored]


def numbered(*span: int) -> list[str]:
    return [str(number) for number in range(*span)]


async def cut_off(sql: Sql, *, where: str = "true") -> None:
    """End the connections of relays, as a failing server or network would."""
    theirs = f"application_name = 'relay' AND datname = current_database() AND {where}"
    await sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {theirs}")  # noqa: S608


async def commit(database: Database, note: str) -> None:
    """As a request would, in the process of that database."""
    async with database.transaction() as connection:
        await connection.execute(text("INSERT INTO things (note) VALUES (:note)"), {"note": note})


async def test_a_commit_of_its_own_process_wakes_it(
    start_relay: StartRelay, marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks by itself only once an hour here."""
    monkeypatch.setattr(chassis.relay, "POLL", 3600)
    _, database, _ = start_relay()
    for note in ("a", "b"):
        await commit(database, note)
        await marks()


async def test_the_commit_of_another_process_wakes_it_over_the_bus(
    start_relay: StartRelay, marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose own relay is not active. The active one looks by itself only once an hour here."""
    monkeypatch.setattr(chassis.relay, "POLL", 3600)
    monkeypatch.setattr(chassis.leadership, "SILENCE", 3600)
    active, database, _ = start_relay()
    assert await until(lambda: active.active, within=20)
    await commit(database, "a")
    await marks()
    _, other, _ = start_relay()
    for note in ("b", "c"):
        await commit(other, note)
        await marks()
    assert active.active


async def test_a_relay_that_stands_by_makes_no_connection_for_a_commit(
    start_relay: StartRelay, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so to the active one, and tries to take its place once in a while only; here once an hour."""
    monkeypatch.setattr(chassis.relay, "STAND_BY", 3600)
    active, _, _ = start_relay()
    assert await until(lambda: active.active, within=20)
    connections: list[str] = []
    heard: list[bytes] = []

    async def hear(nudge: Msg) -> None:
        heard.append(nudge.data)

    await bus.client.subscribe("relay.things", cb=hear)
    other, database, _ = start_relay()
    event.listen(database.engine.sync_engine, "connect", lambda *_: connections.append("made"))
    for number in range(1, 11):
        other.wake()
        assert await until(lambda upto=number: len(heard) == upto, within=20)  # type: ignore[misc]
        if number == 1:
            connections.clear()
    assert connections == []


async def test_one_of_two_is_active_and_the_other_takes_over(
    start_relay: StartRelay,
    insert: Insert,
    marks: Marks,
    things: Stream,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At once, when the first one stops in order. Meanwhile nothing is published twice or left out."""
    monkeypatch.setattr(chassis.leadership, "SILENCE", 3600)
    first, _, task = start_relay()
    assert await until(lambda: first.active, within=20)
    second, _, _ = start_relay()
    for number in range(3):
        await insert(str(number))
        await marks()
        assert (first.active, second.active) == (True, False)
    await insert("3", "4")
    task.cancel()
    await asyncio.wait([task])
    assert not first.active
    assert await until(lambda: second.active, within=20)
    await insert("5")
    await marks()
    assert bodies(await stored(things)) == numbered(6)


async def test_a_backlog_from_while_nats_was_away_drains_in_order(
    nats: Nats, start_relay: StartRelay, insert: Insert, marks: Marks, things: Stream, stored: Stored
) -> None:
    """The writers notice nothing."""
    start_relay()
    await insert("0")
    await marks()
    await nats.kill()
    for number in range(1, 31):
        await insert(str(number))
    await nats.start()
    await insert(*numbered(31, 50))
    await marks()
    assert bodies(await stored(things)) == numbered(50)
    assert [seq for _, seq in await marks()] == list(range(1, 51))


async def test_a_relay_whose_connection_is_cut_takes_the_lock_again(
    start_relay: StartRelay, insert: Insert, marks: Marks, things: Stream, sql: Sql, stored: Stored
) -> None:
    """As often as that happens."""
    relay, _, _ = start_relay()
    for number in range(3):
        assert await until(lambda: relay.active, within=20)
        await insert(str(number))
        await cut_off(sql)
    await marks()
    assert bodies(await stored(things)) == numbered(3)


async def test_a_database_that_was_away_is_found_again(
    own_postgres: Postgres, start_relay: StartRelay, things: Stream, stored: Stored
) -> None:
    """And what is committed then is published."""
    relay, database, _ = start_relay(at=own_postgres.url("things"))
    assert await until(lambda: relay.active, within=20)
    await own_postgres.stop()
    assert await until(lambda: not relay.active, within=20)
    await own_postgres.start()
    assert await until(lambda: relay.active, within=20)
    await commit(database, "after")

    async def published() -> bool:
        return bodies(await stored(things)) == ["after"]

    assert await until(published, within=20)


async def test_a_relay_ends_when_something_is_wrong_that_does_not_pass(start_relay: StartRelay, sql: Sql) -> None:
    """The process ends with it and is restarted: nothing is swallowed to carry on."""
    relay, _, task = start_relay(ends=True)
    assert await until(lambda: relay.active, within=20)
    await sql("ALTER TABLE changes RENAME TO somewhere_else")
    async with asyncio.timeout(20):
        with pytest.raises(ProgrammingError):
            await task
    assert not relay.active


@pytest.mark.parametrize("before", [[], ["a"]])
async def test_a_stream_that_is_deleted_is_made_again_with_what_it_held(
    start_relay: StartRelay, insert: Insert, marks: Marks, things: Stream, stored: Stored, before: list[str]
) -> None:
    """The database is the truth, and the stream a cache of it. Also if it held nothing yet."""
    relay, _, _ = start_relay()
    assert await until(lambda: relay.active, within=20)
    await insert(*before)
    await marks()
    await things.bus.jetstream.delete_stream(things.name)
    await insert("b")

    async def complete() -> bool:
        return await things.info() is not None and sorted(bodies(await stored(things))) == [*before, "b"]

    assert await until(complete, within=20)


async def test_published_changes_are_forgotten_after_a_while(
    start_relay: StartRelay, insert: Insert, marks: Marks, sql: Sql
) -> None:
    """Those that are younger are kept, to be published again should the stream lose them."""
    await insert("old", "young")
    _, _, task = start_relay()
    await marks()
    task.cancel()
    await asyncio.wait([task])
    await sql("UPDATE changes SET at = now() - interval '61 minutes' WHERE row ->> 'note' = 'old'")
    await sql("UPDATE changes SET at = now() - interval '59 minutes' WHERE row ->> 'note' = 'young'")
    start_relay(keep=dt.timedelta(hours=1))

    async def forgotten() -> bool:
        return [note for note, _ in await marks()] == ["young"]

    assert await until(forgotten, within=20)
