"""Reading a user's events from the stream, and from peers that answer badly."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from nats.aio.msg import Msg

import push_gateway.direct
from chassis.errors import BusUnavailable
from contracts.subjects import user_id
from devstack.waiting import until
from push_gateway.direct import AT_ONCE, DirectGet
from push_gateway.messages import StoredEvent
from push_gateway.reader import BATCH, BATCH_BYTES, Reader
from push_gateway.subscriber import Subscriber
from tests.conftest import running_bus, settled
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.raw_client import text_of
from tests.push_gateway.stage import Events, MonitoredNats, Stored


@contextlib.asynccontextmanager
async def reading(nats: MonitoredNats, stream: str) -> AsyncIterator[Reader]:
    """A reader of a stream of that name."""
    client = Subscriber()
    async with running_bus(nats, client):
        yield Reader(DirectGet(client, stream))


@pytest.fixture
async def reader(shared_nats: MonitoredNats, events: Events) -> AsyncIterator[Reader]:
    """A reader of the shared stream."""
    async with reading(shared_nats, events.stream.name) as started:
        yield started


async def read_all(reader: Reader, user: str, after: int) -> tuple[list[StoredEvent], int]:
    """Everything behind `after`, and in how many batches it came."""
    events: list[StoredEvent] = []
    batches = 0
    while True:
        batch = await reader.read(user_id(user), after=after)
        events += batch.events
        batches += 1
        assert batch.through == (batch.events[-1].seq if batch.events else after)
        after = batch.through
        if not batch.more:
            return events, batches


def frames(events: list[StoredEvent]) -> list[object]:
    return [json.loads(text_of(event.frame)) for event in events]


def expected(stored: list[Stored]) -> list[object]:
    return [event.frame for event in stored]


async def test_a_read_brings_the_events_of_one_user_from_all_sources(
    reader: Reader, events: Events, alice: str, bob: str
) -> None:
    """In order, and nobody else's."""
    first = await events.store(alice, 2, sources=("inbox", "connection"))
    others = await events.store(bob, 3)
    second = await events.store(alice, 2, sources=("connection", "inbox"))
    found, batches = await read_all(reader, alice, 0)
    assert (frames(found), batches) == (expected(first + second), 1)
    assert frames((await read_all(reader, bob, 0))[0]) == expected(others)


async def test_a_read_begins_behind_the_position(reader: Reader, events: Events, alice: str) -> None:
    """The position itself is known."""
    stored = await events.store(alice, 5)
    found, _ = await read_all(reader, alice, stored[1].seq)
    assert frames(found) == expected(stored[2:])
    between = await reader.read(user_id(alice), after=stored[0].seq - 1)
    assert frames(list(between.events)) == expected(stored)


async def test_behind_the_last_event_there_is_nothing(reader: Reader, events: Events, alice: str, bob: str) -> None:
    """Whether the stream goes on with others or ends there."""
    [stored] = await events.store(alice)
    assert await read_all(reader, alice, stored.seq) == ([], 1)
    await events.store(bob)
    assert await read_all(reader, alice, stored.seq) == ([], 1)
    assert await read_all(reader, "nobody", 0) == ([], 1)


async def test_a_long_read_comes_in_batches_without_a_seam(reader: Reader, events: Events, alice: str) -> None:
    """One event more than two full batches makes three."""
    stored = await events.store(alice, 2 * BATCH + 1, sources=("inbox", "connection"))
    found, batches = await read_all(reader, alice, stored[0].seq - 1)
    assert frames(found) == expected(stored)
    assert batches == 3


async def test_a_batch_is_bounded_in_bytes(reader: Reader, events: Events, alice: str) -> None:
    """A few large events are as much as many small ones."""
    stored = await events.store(alice, 7, size=BATCH_BYTES // 3)
    batch = await reader.read(user_id(alice), after=stored[0].seq - 1)
    assert batch.more
    assert len(batch.events) <= 3
    found, _ = await read_all(reader, alice, stored[0].seq - 1)
    assert frames(found) == expected(stored)


async def test_an_event_larger_than_a_batch_is_read_alone(reader: Reader, events: Events, alice: str) -> None:
    """The bound is no limit on events."""
    stored = await events.store(alice, 3, size=2 * BATCH_BYTES)
    found, _ = await read_all(reader, alice, stored[0].seq - 1)
    assert frames(found) == expected(stored)


async def test_a_stored_message_that_is_no_event_is_passed_over(reader: Reader, events: Events, alice: str) -> None:
    """What stands behind it is read, and a batch of nothing else is still a step forward."""
    before = await events.store(alice)
    ack = await events.bus.jetstream.publish(f"events.{alice}.inbox", b"no headers at all")
    batch = await reader.read(user_id(alice), after=before[-1].seq)
    assert (list(batch.events), batch.through, batch.more) == ([], ack.seq, False)
    after = await events.store(alice)
    whole = await reader.read(user_id(alice), after=0)
    assert frames(list(whole.events)) == expected(before + after)


async def test_reads_at_the_same_time_do_not_mix(reader: Reader, events: Events, alice: str, bob: str) -> None:
    """Each answer finds its question."""
    for_alice, for_bob = await events.store(alice, 300), await events.store(bob, 300)
    results = await asyncio.gather(*(read_all(reader, user, 0) for user in (alice, bob) * 40))
    for index, (found, _) in enumerate(results):
        assert frames(found) == expected(for_bob if index % 2 else for_alice)


async def test_a_stream_that_does_not_exist_is_reported(shared_nats: MonitoredNats) -> None:
    """At once: the server says that nobody listens."""
    async with reading(shared_nats, "NOSUCHSTREAM") as reader:
        with pytest.raises(BusUnavailable, match="503"):
            await reader.read(user_id("alice"), after=0)


Answer = Callable[[Msg], Awaitable[None]]


@contextlib.asynccontextmanager
async def replica(nats: MonitoredNats, answer: Answer) -> AsyncIterator[Reader]:
    """A reader whose stream is answered for by `answer`."""
    async with running_bus(nats) as bus, reading(nats, "FAKE") as reader:
        await bus.client.subscribe("$JS.API.DIRECT.GET.FAKE", cb=answer)
        await settled(bus.client)
        yield reader


def message(seq: int, previous: int) -> dict[str, str]:
    """The headers of an answer."""
    return {
        "Nats-Subject": "events.alice.inbox",
        "Nats-Sequence": str(seq),
        "Nats-Last-Sequence": str(previous),
        "ce-id": f"e{seq}",
        "ce-type": "inbox:deleted",
    }


async def test_an_answer_that_was_lost_on_the_way_is_noticed(shared_nats: MonitoredNats) -> None:
    """Each says which one came before it; half a batch must not pass for the whole."""

    async def skips_one(request: Msg) -> None:
        client = request._client  # noqa: SLF001
        await client.publish(request.reply, b"{}", headers=message(5, 0))
        await client.publish(request.reply, b"{}", headers=message(9, 7))

    async with replica(shared_nats, skips_one) as reader:
        with pytest.raises(BusUnavailable, match="lost"):
            await reader.read(user_id("alice"), after=0)


async def test_a_replica_that_does_not_answer_is_not_waited_for(
    shared_nats: MonitoredNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read is tried again, and may find another one."""
    monkeypatch.setattr(push_gateway.direct, "SILENCE", 0.05)

    async def never(request: Msg) -> None:
        return

    async with replica(shared_nats, never) as reader:
        with pytest.raises(BusUnavailable):
            await reader.read(user_id("alice"), after=0)


async def test_only_so_many_reads_are_under_way_at_once(
    shared_nats: MonitoredNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of sockets that come back together wait their turn, and each that ends lets one in."""
    monkeypatch.setattr(push_gateway.direct, "SILENCE", PATIENCE)
    asked: list[Msg] = []

    async def keeps_waiting(request: Msg) -> None:
        asked.append(request)

    async with replica(shared_nats, keeps_waiting) as reader:
        reads = [asyncio.create_task(reader.read(user_id("alice"), after=0)) for _ in range(AT_ONCE + 2)]
        assert await until(lambda: len(asked) == AT_ONCE, within=PATIENCE)
        reads[0].cancel()
        assert await until(lambda: len(asked) == AT_ONCE + 1, within=PATIENCE)
        reads[1].cancel()
        assert await until(lambda: len(asked) == AT_ONCE + 2, within=PATIENCE)
        for read in reads:
            read.cancel()
        await asyncio.wait(reads)
