"""What a captured row means: which events, addressed to whom. The rows are written by SQL into the real database."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import pytest

from chassis.changes import Meaning, unpublished
from chassis.database import Database
from contracts.cloudevents import read_event
from contracts.events import EVENT_TYPES, InboxItem
from contracts.subjects import addressee
from inbox_service.changes import INTERPRETER

Sql = Callable[..., Awaitable[list[asyncpg.Record]]]
Interpreted = Callable[[], Awaitable[Sequence[Meaning]]]

INSERT = "INSERT INTO inbox_items (recipient_id, kind, title) VALUES ($1, 'notice', $2) RETURNING id::text"


@pytest.fixture
def interpreted(database: Database) -> Interpreted:
    """What all the changes so far mean."""

    async def all_of_them() -> Sequence[Meaning]:
        async with database.engine.connect() as connection:
            return INTERPRETER.interpret(await unpublished(connection, INTERPRETER.context, limit=500))

    return all_of_them


def said(meanings: Sequence[Meaning]) -> list[tuple[str, str, Any]]:
    """`(user, event, data)` in the order of publishing; each event is checked against the contract on the way."""
    events: list[tuple[str, str, Any]] = []
    for meaning in meanings:
        assert meaning.error is None
        for message in meaning.messages:
            event = read_event(message.headers, message.body)
            assert (event.id, event.time) == (message.id, meaning.change.at)
            assert message.headers["Nats-Msg-Id"] == message.id
            assert addressee(message.subject) == (event.user, "inbox")
            assert isinstance(event.data(), EVENT_TYPES[event.type].data)
            events.append((event.user, event.type, json.loads(event.body)))
    return events


async def test_of_what_is_published_only_the_count_is_worth_nothing_behind_something_newer(
    sql: Sql, interpreted: Interpreted
) -> None:
    """What happened to an item happened, whatever came after it."""
    await sql(INSERT, "alice", "first")
    await sql(INSERT, "alice", "second")
    messages = [message for meaning in await interpreted() for message in meaning.messages]
    assert [(message.headers["ce-type"], message.current) for message in messages] == [
        ("inbox:created", False),
        ("inbox:created", False),
        ("inbox:unread", True),
    ]


async def test_a_new_item_is_an_event_and_a_count_to_its_recipient(sql: Sql, interpreted: Interpreted) -> None:
    """With the full item; the sender hears nothing."""
    made = "INSERT INTO inbox_items (recipient_id, sender_id, kind, title, body, data)"
    await sql(f"{made} VALUES ('alice', 'bob', 'notice', 'a \"title\" 🌊', 'text', '{{\"a\": [1.5, null]}}')")
    created, unread = said(await interpreted())
    assert unread == ("alice", "inbox:unread", {"unread_count": 1})
    user, name, data = created
    assert (user, name) == ("alice", "inbox:created")
    assert set(data) == set(InboxItem.model_fields)
    assert (data["sender_id"], data["title"], data["data"]) == ("bob", 'a "title" 🌊', {"a": [1.5, None]})
    assert data["created_at"].endswith("Z")


async def test_an_item_that_changes_is_told_in_full_and_one_that_is_removed_by_its_id(
    sql: Sql, interpreted: Interpreted
) -> None:
    """Each event stands for the row as it was after its own change; the count for after all of them."""
    item = (await sql(INSERT, "alice", "x"))[0]["id"]
    await sql("UPDATE inbox_items SET is_read = true")
    await sql("UPDATE inbox_items SET title = 'y'")
    await sql("DELETE FROM inbox_items")
    events = said(await interpreted())
    assert [name for _, name, _ in events] == [
        "inbox:created",
        "inbox:updated",
        "inbox:updated",
        "inbox:deleted",
        "inbox:unread",
    ]
    data = [data for _, _, data in events]
    assert [(row["is_read"], row["title"]) for row in data[:3]] == [(False, "x"), (True, "x"), (True, "y")]
    assert data[1]["read_at"] == data[1]["updated_at"]
    assert data[3] == {"id": item}
    assert data[4] == {"unread_count": 0}


async def test_a_statement_over_many_rows_is_an_event_a_row_and_a_count_a_user(
    sql: Sql, interpreted: Interpreted
) -> None:
    """The count comes once for each user, after all events of that user, and not to anybody else."""
    for number in range(3):
        await sql(INSERT, "alice", str(number))
        await sql(INSERT, "bob", str(number))
    await sql(INSERT, "carol", "x")
    await sql("DELETE FROM changes")
    await sql("UPDATE inbox_items SET is_read = true WHERE recipient_id <> 'carol' AND title <> '0'")
    events = said(await interpreted())
    for user, expected in (("alice", 1), ("bob", 1)):
        own = [(name, data) for whose, name, data in events if whose == user]
        assert [name for name, _ in own] == ["inbox:updated", "inbox:updated", "inbox:unread"]
        assert own[-1][1] == {"unread_count": expected}
    assert len(events) == 6


async def test_an_update_that_changes_nothing_means_nothing(sql: Sql, interpreted: Interpreted) -> None:
    """Not even the time of the last change moves."""
    await sql(INSERT, "alice", "x")
    await sql("DELETE FROM changes")
    await sql("UPDATE inbox_items SET is_read = false, title = 'x'")
    assert await interpreted() == []


async def test_every_event_has_an_id_of_its_own_and_keeps_it(sql: Sql, interpreted: Interpreted) -> None:
    """A relay that died is followed by one that makes the very same events, which the stream recognises."""
    for user in ("alice", "bob"):
        await sql(INSERT, user, "x")
    await sql("UPDATE inbox_items SET is_read = true")
    once, again = await interpreted(), await interpreted()
    assert once == again
    ids = [message.id for meaning in once for message in meaning.messages]
    assert len(ids) == len(set(ids)) == 6


async def test_the_ids_are_made_by_the_database(sql: Sql, interpreted: Interpreted) -> None:
    """One that a client could choose would swallow somebody else's event; the item's own id can be chosen."""
    item = "0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f"
    for _ in range(2):
        await sql("INSERT INTO inbox_items (id, recipient_id, kind, title) VALUES ($1, 'alice', 'notice', 'x')", item)
        await sql("DELETE FROM inbox_items")
    ids = [message.id for meaning in await interpreted() for message in meaning.messages]
    assert len(ids) == len(set(ids)) == 5
    assert item not in ids


async def test_a_change_that_cannot_be_mapped_gets_its_error_and_the_others_their_events(
    sql: Sql, interpreted: Interpreted
) -> None:
    """Then the count goes with the user's last change that could be."""
    for title in ("one", "two", "three"):
        await sql(INSERT, "alice", title)
    await sql("UPDATE changes SET row = row - 'body' WHERE row ->> 'title' = 'two'")
    await sql("""UPDATE changes SET row = row || '{"recipient_id": "a.b"}' WHERE row ->> 'title' = 'three'""")
    first, *others = await interpreted()
    assert [name for _, name, _ in said([first])] == ["inbox:created", "inbox:unread"]
    assert [bool(other.error) for other in others] == [True, True]
    assert all(not other.messages for other in others)


async def test_an_operation_that_no_trigger_captures_is_an_error(sql: Sql, interpreted: Interpreted) -> None:
    """And not an event of whatever name."""
    await sql(INSERT, "alice", "x")
    await sql("UPDATE changes SET op = 'truncate'")
    assert [bool(meaning.error) for meaning in await interpreted()] == [True]


async def test_the_largest_item_fits_into_a_message(sql: Sql, interpreted: Interpreted) -> None:
    """It is far below the megabyte that NATS takes."""
    await sql(
        "INSERT INTO inbox_items (recipient_id, sender_id, kind, title, body, data) VALUES"
        " (repeat('a', 64), repeat('a', 64), repeat('k', 64), repeat('🌊', 200), repeat(E'\\x01', 4000),"
        " jsonb_build_object('a', repeat('x', 32000)))"
    )
    assert max(message.size for meaning in await interpreted() for message in meaning.messages) < 128 * 1024


async def test_no_change_means_nothing(interpreted: Interpreted) -> None:
    """Nothing to interpret is nothing to publish."""
    assert await interpreted() == []
