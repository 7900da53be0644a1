"""Asking the stream where it stands."""

import asyncio
from collections.abc import Callable

import pytest
from nats.js.api import StreamInfo

from chassis.bus import Bus
from chassis.errors import BusUnavailable
from chassis.streams import EPOCH, Stream
from contracts.streams import EVENTS
from devstack.waiting import until
from push_gateway.stream_state import StreamWatch
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.stage import Events


class CountingStream(Stream):
    """Counts how often its leader was asked."""

    asked = 0

    async def info(self) -> StreamInfo | None:
        self.asked += 1
        return await super().info()


@pytest.fixture
def watched(events: Events) -> Callable[[], tuple[StreamWatch, CountingStream]]:
    """Makes a watch of the shared stream."""

    def make() -> tuple[StreamWatch, CountingStream]:
        stream = CountingStream(events.bus, EVENTS, replicas=1)
        return StreamWatch(stream), stream

    return make


Watched = Callable[[], tuple[StreamWatch, CountingStream]]


async def test_the_state_is_what_the_leader_says(watched: Watched, events: Events, alice: str) -> None:
    """Its epoch, and its first and last sequence."""
    stored = await events.store(alice, 2)
    info = await events.stream.info()
    assert info is not None
    watch, _ = watched()
    state = await watch.state()
    assert (state.first, state.last) == (1, stored[-1].seq)
    assert state.epoch == (info.config.metadata or {})[EPOCH]


async def test_those_who_wait_at_the_same_time_share_one_question(watched: Watched) -> None:
    """Thousands of sockets that come back together ask it once or twice, not thousands of times."""
    watch, stream = watched()
    states = await asyncio.gather(*(watch.state() for _ in range(100)))
    assert len(set(states)) == 1
    assert stream.asked == 1


async def test_who_comes_while_it_is_being_asked_is_told_of_a_later_moment(
    watched: Watched, events: Events, alice: str
) -> None:
    """An answer that was on its way already may not know of this caller's subscription."""
    watch, stream = watched()
    early = asyncio.create_task(watch.state())
    assert await until(lambda: stream.asked == 1, within=PATIENCE, every=0)
    late = asyncio.create_task(watch.state())
    await asyncio.gather(early, late)
    assert stream.asked == 2
    [stored] = await events.store(alice)
    assert (await watch.state()).last == stored.seq


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others(watched: Watched) -> None:
    """A client may go away while it is being greeted."""
    watch, stream = watched()
    first, second = asyncio.create_task(watch.state()), asyncio.create_task(watch.state())
    assert await until(lambda: stream.asked == 1, within=PATIENCE, every=0)
    first.cancel()
    assert (await second).last >= 0
    assert first.cancelled()


async def test_without_a_stream_there_is_no_state(bus: Bus) -> None:
    """A relay makes it; the gateway waits."""
    with pytest.raises(BusUnavailable, match="EVENTS"):
        await StreamWatch(Stream(bus, EVENTS, replicas=1)).state()


async def test_without_a_connection_there_is_no_state_and_nobody_waits(events: Events) -> None:
    """And the next one asks again."""
    stream = Stream(Bus(("nats://127.0.0.1:1",), name="test"), EVENTS, replicas=1)
    watch = StreamWatch(stream)
    for _ in range(2):
        with pytest.raises(BusUnavailable):
            await watch.state()
