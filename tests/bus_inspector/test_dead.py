"""`dead` shows what could not be processed, and has it processed after all, or not; it says what it did."""

import datetime as dt
import json
import uuid
from collections.abc import AsyncIterator

import pytest

from chassis.bus import Bus
from chassis.streams import Stream
from contracts import streams
from contracts.cloudevents import Event
from contracts.events import Answer, ConnectionAnswerCreated, DailyConnection
from contracts.subjects import INBOX_CONSUMER, dead_letter_subject, event_subject, user_id
from tests.bus_inspector.conftest import Ended, Inspect
from tests.conftest import running_bus
from tests.system.conftest import Parts, People
from tests.system.system import System

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
SECRET = "a secret that somebody wrote"


@pytest.fixture
async def bus(parts: Parts) -> AsyncIterator[Bus]:
    """A connection to the system's NATS server."""
    async with running_bus(parts.nats) as connected:
        yield connected


def answered(recipient: str, author: str = "alice") -> Event:
    """What `recipient` is told when `author` has answered."""
    connection = uuid.uuid4()
    answer = Answer(id=uuid.uuid4(), connection_id=connection, author_id=author, text=SECRET, created_at=NOON)
    asked = DailyConnection(id=connection, partnership_id=uuid.uuid4(), date=NOON.date(), question="What?")
    data = ConnectionAnswerCreated(answer=answer, connection=asked)
    return Event.of("connection_answer:created", data, id=str(uuid.uuid4()), user=user_id(recipient), time=NOON)


async def bury(bus: Bus, event: Event) -> int:
    """Store an event, as the relay does, and among the dead letters, as the consumer does; returns its number."""
    subject = event_subject(event.user, "connection")
    ack = await bus.jetstream.publish(subject, event.body, headers=event.headers())
    await Stream(bus, streams.DEADLETTERS, replicas=1).ensure()
    headers = event.headers() | {
        "Nats-Msg-Id": f"{INBOX_CONSUMER}:{ack.seq}",
        "Dead-Letter-Reason": f"IntegrityError: ... Failing row contains ({SECRET})",
        "Dead-Letter-Subject": subject,
        "Dead-Letter-Sequence": str(ack.seq),
    }
    letter = await bus.jetstream.publish(dead_letter_subject(INBOX_CONSUMER), event.body, headers=headers)
    return letter.seq


def numbers(listed: Ended) -> set[int]:
    return {letter["number"] for letter in listed.document["letters"]}


async def test_a_dead_letter_that_is_requeued_is_processed_and_gives_no_second_frame(
    inspect: Inspect, operate: Inspect, parts: Parts, bus: Bus, people: People
) -> None:
    """The item that was missing appears; the letter is gone. To do it again is refused, as there is nothing left."""
    bob = people.someone("bob")
    event = answered(bob)
    letter = Event(event.id, event.type, event.user, event.time, event.body)
    async with parts.system.device(bob) as his:
        number = await bury_unprocessed(bus, letter)
        assert number in numbers(await inspect("dead", "list", "--json"))
        done = (await operate("dead", "requeue", str(number), "--json")).document
        await his.event("inbox:created", sender_id="alice")
        [frames] = await parts.system.heard(his)
    assert done["requeued"] == number
    assert [frame["event"] for frame in frames] == ["inbox:created", "inbox:unread"]
    assert number not in numbers(await inspect("dead", "list", "--json"))
    ended = await operate("dead", "requeue", str(number), code=1)
    assert len(ended.err.splitlines()) == 1


async def bury_unprocessed(bus: Bus, event: Event) -> int:
    """Store an event among the dead letters alone, so that nobody can have processed it."""
    await Stream(bus, streams.DEADLETTERS, replicas=1).ensure()
    headers = event.headers() | {
        "Nats-Msg-Id": f"{INBOX_CONSUMER}:{event.id}",
        "Dead-Letter-Reason": "OperationalError: the disk was full",
        "Dead-Letter-Subject": event_subject(event.user, "connection"),
        "Dead-Letter-Sequence": "1",
    }
    return (await bus.jetstream.publish(dead_letter_subject(INBOX_CONSUMER), event.body, headers=headers)).seq


async def test_one_that_was_processed_meanwhile_changes_nothing_when_it_is_requeued(
    operate: Inspect, parts: Parts, bus: Bus, people: People
) -> None:
    """The item is made of the event once, however often it comes."""
    bob = people.someone("bob")
    async with parts.system.device(bob) as his:
        number = await bury(bus, answered(bob))
        await his.event("inbox:created", sender_id="alice")
        done = (await operate("dead", "requeue", str(number), "--json")).document
        [frames] = await parts.system.heard(his)
    assert not done["duplicate"], "the stream took it for a copy: the consumer has not seen it again"
    names = [frame["event"] for frame in frames]
    assert names.count("connection_answer:created") == 1
    assert names.count("inbox:created") == 1


async def test_what_a_letter_says_and_why_it_died_is_shown_only_if_it_is_asked_for(
    inspect: Inspect, bus: Bus, people: People
) -> None:
    """PostgreSQL's reasons quote the row."""
    number = str(await bury(bus, answered(people.someone("bob"))))
    for arguments in (("list",), ("list", "--json"), ("show", number), ("show", number, "--json")):
        shown = (await inspect("dead", *arguments)).out
        assert SECRET not in shown, arguments
        assert "IntegrityError" in shown
    assert SECRET in (await inspect("dead", "show", number, "--reveal")).out
    assert SECRET in json.dumps((await inspect("dead", "list", "--reveal", "--json")).document)


async def test_a_letter_that_is_dropped_is_gone_and_no_other_is(
    inspect: Inspect, operate: Inspect, bus: Bus, people: People
) -> None:
    """It says what it was."""
    event, other = answered(people.someone("bob")), answered(people.someone("carol"))
    number, kept = await bury(bus, event), await bury(bus, other)
    done = await operate("dead", "drop", str(number))
    assert done.said(f"dead letter {number}", event.id)
    left = numbers(await inspect("dead", "list", "--json"))
    assert number not in left
    assert kept in left
    await operate("dead", "drop", str(number), code=1)


async def test_whoever_may_only_look_changes_nothing(
    inspect: Inspect, operate: Inspect, bus: Bus, people: People
) -> None:
    """And is told why; the letter is still there for somebody who may."""
    number = str(await bury(bus, answered(people.someone("bob"))))
    for command in (("dead", "requeue", number), ("dead", "drop", number), ("bench-publish", "--count", "1")):
        ended = await inspect(*command, code=1)
        assert "permissions violation" in ended.err, command
        assert "NATS_NKEY_SEED_FILE" in ended.err, command
    await operate("dead", "drop", number)


async def test_dead_changes_are_listed_with_their_database(inspect: Inspect, system: System, people: People) -> None:
    """They stay where they are."""
    bob = people.someone("bob")
    row = f'{{"id": "018f0000-0000-7000-8000-{uuid.uuid4().hex[:12]}", "recipient_id": "{bob}", "title": "{SECRET}"}}'
    columns, error = "id, event_id, table_name, op, row, at, error", "ValidationError: 1 validation error"
    values = f"-1, gen_random_uuid(), 'inbox_items', 'insert', '{row}', now(), '{error}'"
    await system.sql("inbox", f"INSERT INTO dead_changes ({columns}) VALUES ({values})")  # noqa: S608
    try:
        [change] = (await inspect("dead", "list", "--json")).document["changes"][:1]
        shown = await inspect("dead", "list")
    finally:
        await system.sql("inbox", "DELETE FROM dead_changes WHERE id = -1")
    assert (change["database"], change["id"], change["reason"]) == ("inbox", -1, error)
    assert SECRET not in shown.out
