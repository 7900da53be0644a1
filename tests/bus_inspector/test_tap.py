"""`tap` shows every event that the stream holds, once and in order, and says what is wrong with it."""

import asyncio
import contextlib
import datetime as dt
import fcntl
import json
import os
import signal
import struct
import sys
import termios
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from bus_inspector.app import INTERRUPTED
from contracts.cloudevents import Event
from contracts.subjects import Source, UserId, event_subject, user_id
from devstack.nats import Nats
from devstack.waiting import until
from tests.bus_inspector.conftest import PATIENCE, Inspect, inspecting
from tests.push_gateway.stage import Events, events_on
from tests.system.conftest import ROOT

SECRET = "a secret that somebody wrote"


@pytest.fixture
async def events(nats: Nats) -> AsyncIterator[Events]:
    """Stores events on a server of the test's own."""
    async with events_on(nats) as stored:
        yield stored


@pytest.fixture
def look(nats: Nats) -> Inspect:
    """The command, set up to look at that server."""
    return inspecting(nats.access("inspector"))


async def publish(
    events: Events,
    event: Event,
    *,
    to: UserId | None = None,
    source: Source = "inbox",
    headers: Mapping[str, str] | None = None,
) -> int:
    """Store an event as it is, or as it should not be; returns its sequence."""
    subject = event_subject(to or event.user, source)
    ack = await events.bus.jetstream.publish(subject, event.body, headers={**event.headers(), **(headers or {})})
    return ack.seq


async def test_all_events_are_shown_once_and_in_order(nats: Nats, look: Inspect, events: Events) -> None:
    """More of them than one read brings; and those of nobody else with --user."""
    operate = inspecting(nats.access("operator"))
    published = (await operate("bench-publish", "--count", "2500", "--users", "3", "--json")).document
    assert (published["stored"], published["first_seq"], published["last_seq"]) == (2500, 1, 2500)
    shown = (await look("tap", "--json")).records
    assert [record["seq"] for record in shown] == list(range(1, 2501))
    assert [record["data"]["id"] for record in shown] == [str(uuid.UUID(int=number)) for number in range(2500)]
    assert not any(record["problems"] for record in shown)
    of_one = (await look("tap", "--user", f"{published['users']}-1", "--json")).records
    assert [record["seq"] for record in of_one] == list(range(2, 2501, 3))


async def test_since_begins_at_a_sequence_or_a_time(look: Inspect, events: Events) -> None:
    """A time behind the last event leaves nothing."""
    stored = await events.store("bob", 5)
    later = await look("tap", "--since", str(stored[3].seq), "--json")
    assert [record["seq"] for record in later.records] == [each.seq for each in stored[3:]]
    moment = stored[2].event.time.isoformat()
    assert [record["seq"] for record in (await look("tap", "--since", moment, "--json")).records][-2:] == [4, 5]
    assert (await look("tap", "--since", "2999-01-01", "--json")).records == []
    assert len((await look("tap", "--since", "0001-01-02", "--json")).records) == len(stored)


async def test_type_leaves_out_what_is_called_otherwise(look: Inspect, events: Events) -> None:
    """The name is one of the contract's."""
    await events.store("bob", 4, sources=("inbox", "connection"))
    shown = (await look("tap", "--type", "connection_answer:created", "--json")).records
    assert [record["type"] for record in shown] == ["connection_answer:created"] * 2


async def test_what_people_wrote_is_shown_only_if_it_is_asked_for(look: Inspect, events: Events) -> None:
    """Neither in the data, nor in what is wrong with them, nor by `show`."""
    bob = user_id("bob")
    fine = _item(bob, title=SECRET, body=SECRET, data={"what": SECRET})
    broken = _item(bob, title=SECRET, is_read=SECRET)
    for event in (fine, broken):
        await publish(events, event)
    for arguments in (("tap",), ("tap", "--json"), ("show", "1"), ("show", "2", "--json"), ("user", "bob")):
        assert SECRET not in (await look(*arguments)).out, arguments
    assert SECRET in (await look("tap", "--reveal")).out
    [_, shown] = (await look("tap", "--json")).records
    assert [problem.partition(":")[0] for problem in shown["problems"]] == ["data.is_read"]


def _item(user: UserId, **fields: Any) -> Event:
    times = dict.fromkeys(("created_at", "updated_at"), "2026-01-01T00:00:00Z")
    item = {"id": "018f0000-0000-7000-8000-000000000000", "recipient_id": user, "kind": "notice", "is_read": False}
    body = json.dumps({**item, "title": "", "body": "", "data": {}, **times, **fields}).encode()
    return Event(f"of-{len(body)}", "inbox:created", user, _NOON, body)


_NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


async def test_what_is_not_as_the_contract_has_it_is_flagged(look: Inspect, events: Events) -> None:
    """Each in its own words, and what is right is not."""
    bob, eve = user_id("bob"), user_id("eve")
    right = _item(bob)
    await publish(events, right)
    await publish(events, _item(bob, title="1"), to=eve)
    await publish(events, _item(bob, title="22"), source="connection")
    await publish(events, _item(bob, title="333"), headers={"Nats-Msg-Id": "another"})
    await publish(events, _item(bob, title="4444"), headers={"ce-type": "inbox:unheard-of"})
    await publish(events, Event("deep", "inbox:deleted", bob, _NOON, b'{"id":' + b"[" * 50_000))
    await events.bus.jetstream.publish(event_subject(bob, "inbox").replace("inbox", "nowhere"), b"not JSON")
    problems = [record["problems"] for record in (await look("tap", "--json")).records]
    assert problems == [record["problems"] for record in (await look("tap", "--json", "--reveal")).records]
    assert problems[0] == []
    words_of_each = (
        "published to 'eve'",
        "published as 'connection'",
        "a second copy",
        "inbox:unheard-of",
        "recursion limit",
        "unknown subject",
    )
    for found, words in zip(problems[1:], words_of_each, strict=True):
        assert any(words in problem for problem in found), (found, words)


async def test_a_message_does_not_steer_the_terminal(look: Inspect, events: Events) -> None:
    """What a terminal would obey is shown as what it is."""
    await publish(events, _item(user_id("bob"), kind="\x1b[2Jcleared\x9b"))
    for arguments in (("tap", "--reveal"), ("tap", "--reveal", "--json"), ("show", "1", "--reveal")):
        shown = (await look(*arguments)).out
        assert "cleared" in shown
        assert not {"\x1b", "\x9b"} & set(shown), arguments


async def follow(nats: Nats, stdout: int) -> asyncio.subprocess.Process:
    """`tap --follow` from the first event on."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bus_inspector", "tap", "--follow", "--json", "--since", "1"),
        stdout=stdout,
        env={**os.environ, **nats.access("inspector"), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
    )


@contextlib.asynccontextmanager
async def following(nats: Nats) -> AsyncIterator[asyncio.StreamReader]:
    """Its lines, as they come."""
    process = await follow(nats, asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.terminate()
        await process.wait()


async def sequences(lines: asyncio.StreamReader, count: int) -> list[int]:
    """Those of the next so many events."""
    async with asyncio.timeout(PATIENCE):
        return [json.loads(await lines.readline())["seq"] for _ in range(count)]


async def test_follow_goes_on_after_nats_was_killed_and_loses_nothing(nats: Nats, events: Events) -> None:
    """Neither what was stored before, nor what is stored as soon as it is back."""
    await events.store("bob", 3)
    async with following(nats) as lines:
        assert await sequences(lines, 3) == [1, 2, 3]
        await nats.kill()
        await nats.start()
        async with events_on(nats) as again:
            await again.store("bob", 3)
        assert await sequences(lines, 3) == [4, 5, 6]


async def test_show_finds_an_event_by_its_place_and_by_its_id(look: Inspect, events: Events) -> None:
    """With all its headers; and says so if there is none."""
    stored = (await events.store("bob", 3))[1]
    by_place, by_id = await look("show", "2", "--json"), await look("show", stored.event.id, "--json")
    assert by_place.document["id"] == stored.event.id
    assert by_id.document["seq"] == stored.seq
    assert by_place.document["headers"]["ce-id"] == stored.event.id
    for missing in ("99", "no-such-id"):
        ended = await look("show", missing, code=1)
        assert len(ended.err.splitlines()) == 1


async def test_a_bus_without_the_stream_is_one_line(nats: Nats, look: Inspect) -> None:
    """Nothing is made by looking."""
    for command in ("tap", "check"):
        ended = await look(command, code=1)
        assert len(ended.err.splitlines()) == 1
    listed = await look("dead", "list", "--json")
    assert listed.document["letters"] == []
    answer = await nats.ask("$JS.API.STREAM.NAMES")
    assert answer is not None
    assert not answer["streams"]


async def test_ctrl_c_ends_it_although_nobody_reads_what_it_prints(nats: Nats, events: Events) -> None:
    """It waits in the midst of printing then, as under a pager that has shown its first page."""
    await events.store("bob", 100)
    unread, printed = os.pipe()
    full = fcntl.fcntl(printed, fcntl.F_SETPIPE_SZ, 4096)
    process = await follow(nats, printed)
    os.close(printed)
    try:
        assert await until(lambda: waiting(unread) == full, within=PATIENCE)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == INTERRUPTED
    finally:
        os.close(unread)  # with which it would end, too


def waiting(pipe: int) -> int:
    """Bytes that can be read from it."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(count)
