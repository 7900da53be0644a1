"""Reading the whole stream for many clients, page by page."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chassis.errors import BusUnavailable
from contracts.streams import EVENTS
from devstack.waiting import until
from push_gateway.scan import PAGE, Scan
from push_gateway.subscriber import Subscriber
from tests.conftest import running_bus
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.stage import Events, MonitoredNats


@pytest.fixture
async def subscriber(nats: MonitoredNats, own_events: Events) -> AsyncIterator[Subscriber]:
    """A connection to a server that the test may break, with the stream on it."""
    client = Subscriber()
    async with running_bus(nats, client):
        yield client


async def read(client: Subscriber, *, after: int) -> list[int]:
    """Where everything stands that a scan gives."""
    seqs: list[int] = []
    more = True
    async with Scan(client, EVENTS.name, after=after) as scan:
        while more:
            page = await scan.page()
            seqs += [message.seq for message in page.messages]
            more = page.more
    return seqs


async def read_on(scan: Scan) -> None:
    """Read what is left."""
    async with asyncio.timeout(PATIENCE):
        while (await scan.page()).more:
            pass


async def consumers(events: Events) -> int:
    info = await events.stream.info()
    assert info is not None
    return info.state.consumer_count


async def test_everything_behind_a_position_comes_in_order_and_once(subscriber: Subscriber, own_events: Events) -> None:
    """Whoever it is for, over several pages; nothing of it is left at the server."""
    before = await own_events.store("somebody", 3)
    stored = [*await own_events.store("alice", 2 * PAGE), *await own_events.store("bob", 10)]
    assert await read(subscriber, after=before[-1].seq) == [event.seq for event in stored]
    assert await consumers(own_events) == 0


async def test_large_messages_end_a_request_early(subscriber: Subscriber, own_events: Events) -> None:
    """By their bytes; the next request goes on behind them."""
    stored = await own_events.store("alice", 60, size=100_000)
    assert await read(subscriber, after=0) == [event.seq for event in stored]


async def test_a_message_is_given_as_it_stands(subscriber: Subscriber, own_events: Events) -> None:
    """Its subject, where it stands, its headers and its body."""
    [stored] = await own_events.store("alice")
    async with Scan(subscriber, EVENTS.name, after=stored.seq - 1) as scan:
        [message] = (await scan.page()).messages
    assert (message.subject, message.seq, message.body) == (b"events.alice.inbox", stored.seq, stored.event.body)
    assert b"\r\nce-id: %b\r\n" % stored.event.id.encode() in message.headers


async def test_a_scan_from_the_end_is_empty(subscriber: Subscriber, own_events: Events) -> None:
    """At once: nothing is waited for."""
    [last] = await own_events.store("alice")
    assert await read(subscriber, after=last.seq) == []


async def test_what_was_purged_is_passed_over(subscriber: Subscriber, own_events: Events) -> None:
    """That is for others to notice, by where the stream begins."""
    stored = await own_events.store("alice", 10)
    await own_events.bus.jetstream.purge_stream(EVENTS.name, seq=stored[6].seq)
    assert await read(subscriber, after=0) == [event.seq for event in stored[6:]]


async def test_a_lost_message_is_noticed(subscriber: Subscriber, own_events: Events) -> None:
    """The consumer numbers what it sends; a page with a hole is never given."""
    await own_events.store("alice", 20)
    async with Scan(subscriber, EVENTS.name, after=0) as scan:
        (sid,) = [number for number, deliver in subscriber._deliver.items() if deliver == scan._take]  # noqa: SLF001
        taken = 0

        def losing(subject: bytes, reply: bytes, headers: bytes | None, body: bytes) -> None:
            nonlocal taken
            taken += 1
            if taken != 5:
                scan._take(subject, reply, headers, body)  # noqa: SLF001

        subscriber._deliver[sid] = losing  # noqa: SLF001
        with pytest.raises(BusUnavailable, match="lost"):
            await read_on(scan)


@pytest.mark.parametrize("how", ["the consumer is deleted", "the server dies"])
async def test_a_scan_that_goes_silent_ends(
    subscriber: Subscriber, nats: MonitoredNats, own_events: Events, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its riders then find another way."""
    monkeypatch.setattr("push_gateway.scan.SILENCE", 0.3)
    await own_events.store("alice", 3 * PAGE)
    async with Scan(subscriber, EVENTS.name, after=0) as scan:
        await scan.page()
        if how == "the server dies":
            await nats.kill()
        else:
            await own_events.bus.jetstream.delete_consumer(EVENTS.name, scan._consumer)  # noqa: SLF001
        with pytest.raises(BusUnavailable):
            await read_on(scan)
    if how == "the server dies":
        await nats.start()
        assert await until(lambda: subscriber.is_connected, within=PATIENCE)
        assert len(await read(subscriber, after=0)) == 3 * PAGE


async def test_a_stream_that_is_not_there_is_said_so(subscriber: Subscriber, own_events: Events) -> None:
    """As everywhere where the bus fails."""
    await own_events.bus.jetstream.delete_stream(EVENTS.name)
    with pytest.raises(BusUnavailable):
        await read(subscriber, after=0)
