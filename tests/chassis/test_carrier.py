"""What a relay makes of the changes: each is published in order, once, and marked; or kept with the reason why not."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from nats.js.api import RawStreamMsg
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

import chassis.relay
from chassis.audit import Audit
from chassis.carrier import Carrier
from chassis.database import Database
from chassis.relay import Relay
from chassis.streams import Stream
from tests.chassis.conftest import INTERPRETER

Sql = Callable[..., Awaitable[list[Any]]]
Stored = Callable[..., Awaitable[list[RawStreamMsg]]]
StartRelay = Callable[..., tuple[Relay, Database, asyncio.Task[None]]]
Insert = Callable[..., Awaitable[None]]
Marks = Callable[[], Awaitable[list[tuple[str, int]]]]
Blocked = Callable[..., Awaitable[None]]


def bodies(stored: Sequence[RawStreamMsg]) -> list[str]:
    return [(each.data or b"").decode() for each in stored]


def numbered(*span: int) -> list[str]:
    return [str(number) for number in range(*span)]


async def cut_off(sql: Sql, *, where: str = "true") -> None:
    """End the connections of relays, as a failing server or network would."""
    theirs = f"application_name = 'relay' AND datname = current_database() AND {where}"
    await sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {theirs}")  # noqa: S608


async def test_what_is_committed_is_published_in_order_and_marked_with_its_sequence(
    start_relay: StartRelay, insert: Insert, marks: Marks, things: Stream, sql: Sql, stored: Stored
) -> None:
    """Each under the id that the database has made, to whom it is for and to nobody else."""
    await insert("a", "double")
    start_relay()
    await marks()
    await insert("b", owner="bob")
    await sql("UPDATE things SET note = 'c' WHERE note = 'a'")
    await sql("DELETE FROM things WHERE note = 'c'")
    assert await marks() == [("a", 1), ("double", 3), ("b", 4), ("c", 5), ("c", 6)]
    published = await stored(things)
    assert [(each.subject, (each.data or b"").decode()) for each in published] == [
        ("things.alice.insert", "a"),
        ("things.alice.insert", "double"),
        ("things.alice.insert", "double"),
        ("things.bob.insert", "b"),
        ("things.alice.update", "c"),
        ("things.alice.delete", "c"),
    ]
    ids = [str(row["event_id"]) for row in await sql("SELECT event_id FROM changes ORDER BY id")]
    assert [(published[index].headers or {})["Nats-Msg-Id"] for index in (0, 1, 3, 4, 5)] == ids


async def test_a_long_backlog_is_published_in_order_and_without_a_pause(
    start_relay: StartRelay,
    insert: Insert,
    marks: Marks,
    things: Stream,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of more than one reading: it does not wait until it is time to look again, which here is in an hour."""
    monkeypatch.setattr(chassis.relay, "POLL", 3600)
    await insert(*numbered(1201))
    start_relay()
    assert [seq for _, seq in await marks()] == list(range(1, 1202))
    assert bodies(await stored(things)) == numbered(1201)


async def test_a_change_is_read_with_one_statement_and_marked_with_another(
    database: Database, things: Stream, insert: Insert, marks: Marks
) -> None:
    """Round trips to the database are what a relay costs most; a look at a table without news is one."""
    told: list[str] = []
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *call: told.append(call[2].split()[0]))
    carrier = Carrier(things, Audit(things, INTERPRETER, "things.>"), INTERPRETER)
    async with database.engine.connect() as connection:
        assert await carrier.carry(connection) == "done"  # and has audited the stream
        told.clear()
        await insert("a", "b")
        assert await carrier.carry(connection) == "done"
        assert told == ["SELECT", "UPDATE"]
        assert await carrier.carry(connection) == "done"
    assert told == ["SELECT", "UPDATE", "SELECT"]
    assert await marks() == [("a", 1), ("b", 2)]


async def test_a_transaction_that_commits_late_with_low_ids_is_not_skipped(
    start_relay: StartRelay, insert: Insert, marks: Marks, things: Stream, stored: Stored, database: Database
) -> None:
    """What is rolled back is: ids become visible out of order, and some never."""
    start_relay()
    async with database.transactional.connect() as late, database.transactional.connect() as never:
        await never.execute(text("INSERT INTO things (note) VALUES ('never')"))
        await late.execute(text("INSERT INTO things (note) VALUES ('late')"))
        await insert("early")
        await marks()
        await never.rollback()
        await late.commit()
    await marks()
    assert bodies(await stored(things)) == ["early", "late"]
    assert await marks() == [("late", 2), ("early", 1)]


@pytest.mark.parametrize(
    ("note", "error"),
    [
        ("unmappable", "ValueError: it has no meaning"),
        ("spoils", "LookupError: one of them spoils all"),
        ("divides", "division by zero"),
        ("huge", "bytes for things.alice.insert; NATS takes"),
    ],
)
@pytest.mark.parametrize("behind", [2, 20])
async def test_a_change_that_cannot_be_published_is_kept_with_its_error_and_stops_nothing(
    start_relay: StartRelay,
    insert: Insert,
    marks: Marks,
    things: Stream,
    sql: Sql,
    stored: Stored,
    note: str,
    error: str,
    behind: int,
) -> None:
    """Also if it fails for all at once: then the guilty one is found, and dies alone."""
    await insert("before", note, *numbered(behind))
    start_relay()
    await marks()
    assert bodies(await stored(things)) == ["before", *numbered(behind)]
    (dead,) = await sql("SELECT row ->> 'note' AS note, error FROM dead_changes")
    assert dead["note"] == note
    assert error in dead["error"]
    assert note not in dict(await marks())
    await insert("after")
    await marks()
    assert len(await stored(things)) == behind + 2


async def test_a_dead_change_keeps_all_that_is_known_of_it(
    start_relay: StartRelay, insert: Insert, marks: Marks, sql: Sql
) -> None:
    """So that somebody can mend the mapping and put it back."""
    await insert("unmappable")
    (alive,) = await sql("SELECT id, event_id, table_name, op, row, at FROM changes")
    start_relay()
    await marks()
    assert await sql("SELECT id, event_id, table_name, op, row, at FROM dead_changes") == [alive]


async def test_a_change_that_means_nothing_is_marked_and_not_published(
    start_relay: StartRelay, insert: Insert, marks: Marks, things: Stream, stored: Stored
) -> None:
    """Its mark is 0: the stream's own sequences start at 1."""
    await insert("nothing", "a", "nothing")
    start_relay()
    assert await marks() == [("nothing", 0), ("a", 1), ("nothing", 0)]
    assert bodies(await stored(things)) == ["a"]


async def test_the_stream_is_searched_once_for_a_long_backlog_that_is_old(
    start_relay: StartRelay,
    insert: Insert,
    marks: Marks,
    things: Stream,
    sql: Sql,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For what may be in it without being marked; one for each reading would hold up what is new."""
    searches = 0
    search = Audit.stored

    async def counted(audit: Audit, connection: AsyncConnection) -> dict[str, int]:
        nonlocal searches
        searches += 1
        return await search(audit, connection)

    monkeypatch.setattr(Audit, "stored", counted)
    await insert(*numbered(1201))
    await sql("UPDATE changes SET at = at - interval '1 hour'")
    start_relay()
    await marks()
    assert bodies(await stored(things)) == numbered(1201)
    assert searches == 1


@pytest.mark.parametrize("end", ["cut off", "stopped"])
@pytest.mark.parametrize("count", [3, 20])
async def test_what_was_published_but_not_marked_is_not_published_again(
    start_relay: StartRelay,
    insert: Insert,
    marks: Marks,
    things: Stream,
    sql: Sql,
    stored: Stored,
    database: Database,
    blocked: Blocked,
    end: str,
    count: int,
) -> None:
    """A relay ends between the two; the next one marks with the sequences of the first time."""
    await insert(*numbered(count))
    async with database.transactional.begin() as holder:
        await holder.execute(text("SELECT FROM changes FOR UPDATE"))
        _, _, task = start_relay()
        await blocked()
        assert len(await stored(things)) == count
        if end == "stopped":
            task.cancel()
            await asyncio.wait([task])
            start_relay()
        else:
            await cut_off(sql, where="wait_event_type = 'Lock'")
    await insert("last")
    await marks()
    assert bodies(await stored(things)) == [*numbered(count), "last"]
    assert [seq for _, seq in await marks()] == list(range(1, count + 2))
