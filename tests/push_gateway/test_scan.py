"""Reading the whole stream for many clients, page by page."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chassis.errors import BusUnavailable
from contracts import frames
from contracts.streams import EVENTS
from contracts.subjects import user_id
from devstack.waiting import until
from push_gateway.messages import StoredEvent
from push_gateway.scan import PAGE, Page, Scan
from push_gateway.subscriber import Subscriber
from push_gateway.wire import text_frame
from tests.conftest import running_bus
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.stage import Events, MonitoredNats
from tests.push_gateway.test_arrivals import compiled as compiled_only

USERS = {name.encode(): user_id(name) for name in ("alice", "bob")}


@pytest.fixture
async def subscriber(nats: MonitoredNats, own_events: Events) -> AsyncIterator[Subscriber]:
    """A connection to a server that the test may break, with the stream on it."""
    client = Subscriber()
    async with running_bus(nats, client):
        yield client


async def read(client: Subscriber, *, after: int) -> list[int]:
    """Where everything stands that a scan gives."""
    async with Scan(client, EVENTS.name, USERS, after=after) as scan:
        pages = await whole(scan)
    seqs = [event.seq for page in pages for _, event in page.events]
    assert sum(page.messages for page in pages) == len(seqs)
    assert pages[-1].through == max([after, *seqs])
    return seqs


async def whole(scan: Scan) -> list[Page]:
    """All pages, to the end."""
    pages = [await scan.page()]
    while pages[-1].more:
        pages.append(await scan.page())
    return pages


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


@pytest.mark.parametrize("compiled", [pytest.param(True, marks=compiled_only), False], ids=["in C", "in Python"])
async def test_an_event_is_given_with_its_frame(
    subscriber: Subscriber, own_events: Events, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    """What is for nobody who was named, or is no event, is only counted."""
    if not compiled:
        monkeypatch.setattr("push_gateway.arrivals.take", None)
    before, stored = await own_events.store("alice", 2)
    await own_events.store("somebody", 2)
    await own_events.bus.jetstream.publish("events.bob.inbox", b"{}")
    async with Scan(subscriber, EVENTS.name, USERS, after=before.seq) as scan:
        pages = await whole(scan)
    frame = frames.event(stored.event.type.encode(), b"%d" % stored.seq, stored.event.id.encode(), stored.event.body)
    event = StoredEvent(b"inbox", stored.seq, None, text_frame(frame))
    assert [given for page in pages for given in page.events] == [("alice", event)]
    assert (sum(page.messages for page in pages), pages[-1].through) == (4, stored.seq + 3)


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
    async with Scan(subscriber, EVENTS.name, USERS, after=0) as scan:
        readers = subscriber._arrivals.readers  # noqa: SLF001

        def losing(event: StoredEvent, user: bytes, number: int, pending: int) -> None:
            if number != 5:
                scan._take(event, user, number, pending)  # noqa: SLF001

        assert list(readers.values()) == [scan._take]  # noqa: SLF001
        readers.update(dict.fromkeys(readers, losing))
        with pytest.raises(BusUnavailable, match="lost"):
            async with asyncio.timeout(PATIENCE):
                await whole(scan)


@pytest.mark.parametrize("how", ["the consumer is deleted", "the server dies"])
async def test_a_scan_that_goes_silent_ends(
    subscriber: Subscriber, nats: MonitoredNats, own_events: Events, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its riders then find another way."""
    monkeypatch.setattr("push_gateway.scan.SILENCE", 0.3)
    await own_events.store("alice", 3 * PAGE)
    async with Scan(subscriber, EVENTS.name, USERS, after=0) as scan:
        await scan.page()
        if how == "the server dies":
            await nats.kill()
        else:
            await own_events.bus.jetstream.delete_consumer(EVENTS.name, scan._consumer)  # noqa: SLF001
        with pytest.raises(BusUnavailable):
            async with asyncio.timeout(PATIENCE):
                await whole(scan)
    if how == "the server dies":
        await nats.start()
        assert await until(lambda: subscriber.is_connected, within=PATIENCE)
        assert len(await read(subscriber, after=0)) == 3 * PAGE


async def test_a_stream_that_is_not_there_is_said_so(subscriber: Subscriber, own_events: Events) -> None:
    """As everywhere where the bus fails."""
    await own_events.bus.jetstream.delete_stream(EVENTS.name)
    with pytest.raises(BusUnavailable):
        await read(subscriber, after=0)
