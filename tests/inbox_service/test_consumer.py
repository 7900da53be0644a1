"""The partner's answer becomes an inbox item, once. The messages are what connection_service publishes."""

import asyncio
import datetime as dt
import uuid
from collections.abc import Awaitable, Callable

import asyncpg
import httpx
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from sqlalchemy.exc import IntegrityError

from chassis.consumer import Undeliverable
from chassis.database import Database, is_unavailable
from contracts.cloudevents import Event
from contracts.events import (
    Answer,
    ConnectionAnswerCreated,
    DailyConnection,
    InboxUnread,
    Partnership,
    PartnershipEnded,
)
from contracts.subjects import UserId, event_subject, user_id
from inbox_service.consumer import handle

Sql = Callable[..., Awaitable[list[asyncpg.Record]]]

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def message(subject: str, headers: dict[str, str] | None, body: bytes) -> Msg:
    return Msg(_client=Client(), subject=subject, data=body, headers=headers)


def answered(
    recipient: str, author: str = "alice", *, text: str = "The sea", question: str = "What?", event_id: str = ""
) -> Msg:
    """The copy for `recipient` of the event that `author` has answered."""
    user: UserId = user_id(recipient)
    connection = uuid.uuid4()
    answer = Answer(id=uuid.uuid4(), connection_id=connection, author_id=author, text=text, created_at=NOON)
    asked = DailyConnection(
        id=connection, partnership_id=uuid.uuid4(), date=NOON.date(), question=question, answers=(answer,)
    )
    data = ConnectionAnswerCreated(answer=answer, connection=asked)
    event = Event.of("connection_answer:created", data, id=event_id or str(uuid.uuid4()), user=user, time=NOON)
    return message(event_subject(user, "connection"), event.headers(), event.body)


async def test_the_partners_copy_becomes_an_item_of_the_partner(bob: httpx.AsyncClient, database: Database) -> None:
    """It says who answered what, and carries what a client needs to open the day."""
    copy = answered("bob", "alice", text="The sea 🌊", question="What made you smile?")
    await handle(database, [copy])
    [item] = (await bob.get("/items")).json()["items"]
    assert (item["recipient_id"], item["sender_id"], item["kind"]) == ("bob", "alice", "connection_answer")
    assert item["title"] == "alice answered: What made you smile?"
    assert (item["body"], item["is_read"]) == ("The sea 🌊", False)
    event = ConnectionAnswerCreated.model_validate_json(copy.data)
    assert item["data"] == {
        "answer_id": str(event.answer.id),
        "connection_id": str(event.connection.id),
        "date": "2026-03-01",
        "question": "What made you smile?",
    }


async def test_the_authors_copy_makes_no_item(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, database: Database
) -> None:
    """The author knows; both copies together make one item, the partner's."""
    await handle(database, [answered("alice", "alice"), answered("bob", "alice")])
    assert (await alice.get("/items")).json()["items"] == []
    assert len((await bob.get("/items")).json()["items"]) == 1


async def test_that_a_partnership_begins_or_ends_makes_no_item(away: Database) -> None:
    """Nor is it a message that cannot be processed: there is nothing to be written down."""
    partnership = Partnership(id=uuid.uuid4(), members=("alice", "bob"), time_zone="UTC", created_at=NOON)
    bob, told = user_id("bob"), []
    for name, data in (
        ("connection_partnership:created", partnership),
        ("connection_partnership:ended", PartnershipEnded(id=partnership.id)),
    ):
        event = Event.of(name, data, id=str(uuid.uuid4()), user=bob, time=NOON)
        told.append(message(event_subject(bob, "connection"), event.headers(), event.body))
    await handle(away, told)


async def test_an_event_that_comes_again_changes_nothing(database: Database, sql: Sql) -> None:
    """In a batch of its own, twice in one batch, or among new ones."""
    copies = [answered("bob", event_id=f"event-{number}") for number in range(3)]
    for batch in (copies[:1], copies[:1], [copies[1], copies[1]], copies):
        await handle(database, batch)
    assert [row["source_event"] for row in await sql("SELECT source_event FROM inbox_items ORDER BY id")] == [
        "event-0",
        "event-1",
        "event-2",
    ]
    assert len(await sql("SELECT FROM changes")) == 3


async def test_an_event_that_comes_again_changes_nothing_of_an_item_that_was_read(
    bob: httpx.AsyncClient, database: Database
) -> None:
    """It does not become unread again."""
    await handle(database, [copy := answered("bob")])
    [item] = (await bob.get("/items")).json()["items"]
    read = (await bob.post(f"/items/{item['id']}/read")).json()
    await handle(database, [copy])
    assert (await bob.get("/items")).json()["items"] == [read]


async def test_an_item_that_was_removed_does_not_come_back(
    bob: httpx.AsyncClient, database: Database, sql: Sql
) -> None:
    """Not when its event is delivered again, however it was removed; new events still make items."""
    copies = [answered("bob"), answered("bob")]
    await handle(database, copies)
    [newer, _] = (await bob.get("/items")).json()["items"]
    await bob.delete(f"/items/{newer['id']}")
    await sql("DELETE FROM inbox_items")
    await handle(database, copies)
    assert (await bob.get("/items")).json()["items"] == []
    await handle(database, [*copies, answered("bob")])
    assert len((await bob.get("/items")).json()["items"]) == 1


async def test_two_processes_that_get_the_same_event_at_once_make_one_item(database: Database, sql: Sql) -> None:
    """The database decides, not the one who looks first."""
    copies = [answered("bob") for _ in range(10)]
    await asyncio.gather(*(handle(database, copies) for _ in range(4)))
    assert len(await sql("SELECT FROM inbox_items")) == 10


async def test_a_batch_is_one_transaction_and_keeps_its_order(database: Database, sql: Sql) -> None:
    """So that it can be acknowledged as a whole."""
    await handle(database, [answered("bob", text=str(number)) for number in range(20)])
    rows = await sql("SELECT body, xmin::text FROM inbox_items ORDER BY id")
    assert [row["body"] for row in rows] == [str(number) for number in range(20)]
    assert len({row["xmin"] for row in rows}) == 1


async def test_a_batch_with_an_item_that_the_database_refuses_leaves_nothing(database: Database, sql: Sql) -> None:
    """Nor is its event taken as seen: once the reason is gone, it can be delivered again."""
    good, bad = answered("bob"), answered("bob", text="x" * 4_001)
    with pytest.raises(IntegrityError):
        await handle(database, [good, bad])
    assert await sql("SELECT FROM inbox_items") == []
    await handle(database, [good])
    assert len(await sql("SELECT FROM inbox_items")) == 1


async def test_a_long_question_is_cut_in_the_title_only(bob: httpx.AsyncClient, database: Database) -> None:
    """A title has 200 characters at most; the longest name and the longest answer fit."""
    await handle(database, [answered("bob", "a" * 64, text="🌊" * 4_000, question="?" * 300)])
    [item] = (await bob.get("/items")).json()["items"]
    assert len(item["title"]) == 200
    assert item["data"]["question"] == "?" * 300
    assert len(item["body"]) == 4_000


MALFORMED = {
    "no headers": message("events.bob.connection", None, b"{}"),
    "no type": message("events.bob.connection", {"ce-specversion": "1.0", "ce-id": "1"}, b"{}"),
    "no JSON": message("events.bob.connection", answered("bob").headers, b"{"),
    "another shape": message("events.bob.connection", answered("bob").headers, b'{"id": 7}'),
    "unknown type": message(
        "events.bob.connection", {**(answered("bob").headers or {}), "ce-type": "connection_answer:eaten"}, b"{}"
    ),
    "bad user id": message(
        "events.bob.connection", {**(answered("bob").headers or {}), "ce-subject": "bob.*"}, answered("bob").data
    ),
}


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_event_is_undeliverable(away: Database, malformed: Msg) -> None:
    """No further attempt will mend it; and it is found out before anything is written."""
    with pytest.raises(Undeliverable):
        await handle(away, [answered("bob"), malformed])


async def test_an_event_of_another_name_is_passed_over(away: Database) -> None:
    """It may be of a newer connection_service; the database is not even asked."""
    event = Event.of("inbox:unread", InboxUnread(unread_count=1), id="1", user=user_id("bob"), time=NOON)
    await handle(away, [message("events.bob.connection", event.headers(), event.body)])


async def test_a_database_that_is_away_is_the_callers_to_wait_for(away: Database) -> None:
    """It is no fault of the event."""
    with pytest.raises(OSError, check=is_unavailable):
        await handle(away, [answered("bob")])
