"""Putting messages into a stream: in order, once each, whatever fails."""

import asyncio
import datetime as dt
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import RawStreamMsg

from chassis.bus import Bus
from chassis.publisher import BATCH_FROM, BATCH_MAX, Message, Outcome, Publisher
from chassis.streams import Stream
from contracts.streams import Shape
from devstack.nats import Nats
from devstack.waiting import until

Stored = Callable[..., Awaitable[list[RawStreamMsg]]]
Connect = Callable[..., AbstractAsyncContextManager[Bus]]

THINGS = Shape("THINGS", ("things.>",), max_age=dt.timedelta(days=1), duplicate_window=dt.timedelta(minutes=2))


def message(number: int, owner: str = "alice", body: bytes = b"") -> Message:
    """One of its own: the number is its id, and its body if there is no other."""
    text = str(number)
    return Message(text, f"things.{owner}", {"Nats-Msg-Id": text, "ce-id": text}, body or text.encode())


def messages(count: int, owners: Sequence[str] = ("alice",)) -> list[Message]:
    return [message(number, owner) for number, owner in zip(range(count), itertools.cycle(owners), strict=False)]


def bodies(stored: Sequence[RawStreamMsg]) -> list[bytes | None]:
    return [each.data for each in stored]


@pytest.mark.parametrize("count", [0, 1, BATCH_FROM - 1, BATCH_FROM, BATCH_MAX, BATCH_MAX + 1, 2 * BATCH_MAX + 8])
async def test_messages_are_stored_in_order_and_their_sequences_are_told(
    things: Stream, stored: Stored, count: int
) -> None:
    """A few one by one, many as one batch, more than a batch takes as several."""
    outcome = await Publisher(things).publish(messages(count))
    assert outcome.failure is None
    assert list(outcome.sequences) == list(range(1, count + 1))
    assert bodies(await stored(things)) == [str(number).encode() for number in range(count)]


@pytest.mark.parametrize("count", [BATCH_FROM - 1, BATCH_FROM])
async def test_what_is_stored_is_what_was_given(things: Stream, stored: Stored, count: int) -> None:
    """The subject, the headers and the body, whichever way they went."""
    await Publisher(things).publish(messages(count, ["alice", "bob"]))
    for number, each in enumerate(await stored(things)):
        assert each.subject == ("things.bob" if number % 2 else "things.alice")
        assert (each.headers or {})["ce-id"] == str(number)


@pytest.mark.parametrize("count", [5, 20])
async def test_a_copy_keeps_the_sequence_of_the_first(things: Stream, stored: Stored, count: int) -> None:
    """To publish again what may have been stored is safe, however many there are."""
    publisher = Publisher(things)
    first = await publisher.publish(messages(count))
    again = await publisher.publish(messages(count))
    assert list(again.sequences) == list(first.sequences)
    assert again.failure is None
    assert len(await stored(things)) == count


async def test_a_batch_of_which_a_part_is_stored_already_is_completed(things: Stream, stored: Stored) -> None:
    """The server refuses the whole of it; then each is told apart, and the missing ones come in order."""
    publisher = Publisher(things)
    await publisher.publish(messages(3))
    outcome = await publisher.publish([*messages(20), *messages(2)])
    assert outcome == Outcome([*range(1, 21), 1, 2])
    assert bodies(await stored(things)) == [str(number).encode() for number in range(20)]


async def test_a_stream_that_takes_no_batches_gets_them_one_by_one(things: Stream, stored: Stored) -> None:
    """Whatever the server has against a batch, the messages arrive."""
    info = await things.info()
    assert info is not None
    await things.bus.jetstream.update_stream(info.config.evolve(allow_atomic=False))
    outcome = await Publisher(things).publish(messages(20))
    assert outcome == Outcome(list(range(1, 21)))
    assert len(await stored(things)) == 20


class Watching(Client):
    """A client that notes which requests are under way at once."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way: list[str] = []
        self.together: list[tuple[str, ...]] = []

    async def request(self, subject: str, *args: Any, **kwargs: Any) -> Msg:
        self.under_way.append(subject)
        self.together.append(tuple(self.under_way))
        try:
            return await super().request(subject, *args, **kwargs)
        finally:
            self.under_way.remove(subject)


async def test_two_messages_on_one_subject_are_never_under_way_at_once(connect: Connect, nats: Nats) -> None:
    """A retry of the first would land behind the second. Those on several subjects are, for that cannot happen."""
    watching = Watching()
    async with connect(nats, client=watching) as bus:
        stream = Stream(bus, THINGS, replicas=1)
        await stream.ensure()
        outcome = await Publisher(stream).publish(messages(BATCH_FROM - 1, ["alice", "bob", "bob", "carol"]))
    assert outcome == Outcome(list(range(1, BATCH_FROM)))
    published = [subjects for subjects in watching.together if subjects[0].startswith("things.")]
    assert len(published) == BATCH_FROM - 1
    assert all(len(set(subjects)) == len(subjects) for subjects in published)
    assert max(len(subjects) for subjects in published) == 3


async def test_many_messages_are_one_request(connect: Connect, nats: Nats) -> None:
    """A batch is all or nothing, and one acknowledgement is waited for."""
    watching = Watching()
    async with connect(nats, client=watching) as bus:
        stream = Stream(bus, THINGS, replicas=1)
        await stream.ensure()
        watching.together.clear()
        assert await Publisher(stream).publish(messages(BATCH_MAX)) == Outcome(list(range(1, BATCH_MAX + 1)))
    assert watching.together == [("things.alice",)]


@pytest.mark.parametrize("count", [1, BATCH_FROM])
async def test_without_a_connection_nothing_is_published_and_that_is_said(nats: Nats, count: int) -> None:
    """At once, and nothing is kept back to be sent later."""
    bus = Bus((nats.url,), name="never connected")
    stream = Stream(bus, THINGS, replicas=1)
    assert await Publisher(stream).publish(messages(count)) == Outcome([], "not connected to NATS")


@pytest.mark.parametrize("count", [4, BATCH_FROM])
async def test_without_a_stream_nothing_is_stored_and_that_is_said(bus: Bus, count: int) -> None:
    """Somebody has deleted it."""
    stream = Stream(bus, THINGS, replicas=1)
    outcome = await Publisher(stream).publish(messages(count))
    assert list(outcome.sequences) == []
    assert outcome.failure


async def test_what_was_stored_before_a_failure_is_a_prefix(things: Stream, stored: Stored) -> None:
    """What comes behind the first that failed is published again by whoever asks, and stored once."""
    publisher = Publisher(things)
    good = messages(4, ["alice", "bob", "carol", "dave"])
    bad = Message("bad", "elsewhere", {}, b"no stream wants this")
    outcome = await publisher.publish([*good[:2], bad, *good[2:]])
    assert list(outcome.sequences) == [1, 2]
    assert outcome.failure
    assert (await publisher.publish(good)).failure is None
    assert sorted(bodies(await stored(things)), key=str) == [b"0", b"1", b"2", b"3"]


async def test_a_server_that_is_killed_meanwhile_leaves_a_prefix_and_nothing_is_lost_or_doubled(
    nats: Nats, things: Stream, stored: Stored
) -> None:
    """Published again when it is back, each message is stored once, in order."""
    publisher = Publisher(things)
    many = messages(60 * BATCH_MAX)

    async def some_are_stored() -> bool:
        info = await things.info()
        return info is not None and info.state.messages >= BATCH_MAX

    publishing = asyncio.create_task(publisher.publish(many))
    assert await until(some_are_stored, within=10)
    await nats.kill()
    outcome = await publishing
    assert outcome.failure is not None
    assert list(outcome.sequences) == list(range(1, len(outcome.sequences) + 1))
    assert BATCH_MAX <= len(outcome.sequences) < len(many)
    await nats.start()
    assert await until(lambda: things.bus.connected, within=10)
    known = len(outcome.sequences)
    assert (await publisher.publish(many[known - BATCH_MAX : known + 2 * BATCH_MAX])).failure is None
    latest = range(known - BATCH_MAX, known + 2 * BATCH_MAX)
    assert bodies(await stored(things, first=latest[0] + 1)) == [str(number).encode() for number in latest]


@pytest.mark.parametrize("count", [1, BATCH_FROM])
async def test_a_message_of_the_largest_size_is_taken_either_way(things: Stream, count: int) -> None:
    """The size counts all that is sent with it: were one sent that is too large, the server would hang up."""
    publisher = Publisher(things)
    largest = b"x" * (publisher.max_bytes - message(0).size + 1)
    assert message(0, body=largest).size == publisher.max_bytes
    outcome = await publisher.publish([message(number, body=largest) for number in range(count)])
    assert outcome == Outcome(list(range(1, count + 1)))
