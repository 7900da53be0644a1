"""What the old system sends becomes events in order and once, and what cannot become one is counted."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence

import pytest

from chassis.bus import Bus
from chassis.streams import Stream
from contracts import streams
from contracts.cloudevents import Event, read_event
from contracts.subjects import INBOX_CONSUMER
from devstack.nats import Nats
from devstack.waiting import until
from mirror.errors import BusInUse, RedisAway
from mirror.forwarding import Forwarder
from mirror.handover import FIELD, KEY, Sent, Unreadable, read, written
from mirror.redis import Redis
from tests.conftest import running_bus

PATIENCE = 30.0


@contextlib.asynccontextmanager
async def forwarding(bus: Bus, redis_url: str) -> AsyncIterator[Forwarder]:
    """A forwarder while the block runs."""
    forwarder = Forwarder(Stream(bus, streams.EVENTS, replicas=1), redis_url, prefix="mirror-")
    task = asyncio.create_task(forwarder.run())
    try:
        yield forwarder
    finally:
        task.cancel()
        await asyncio.wait([task])


def note(user: int, number: int, *, event: str = "inbox:updated") -> str:
    """What the layer writes when item `number` changes."""
    text = written(f"user_{user}", {"type": "send_message", "event": event, "data": {"id": number}})
    assert text is not None
    return text


async def add(redis_url: str, *notes: str) -> None:
    """Write them as the layer does."""
    async with Redis.at(redis_url) as redis:
        for text in notes:
            await redis.ask("XADD", KEY, "*", FIELD, text)


async def noted(redis_url: str) -> int:
    """How many notes Redis still has."""
    async with Redis.at(redis_url) as redis:
        return int(await redis.ask("XLEN", KEY))


async def stored(bus: Bus) -> Sequence[Event]:
    """All events of the stream."""
    info = await bus.jetstream.stream_info(streams.EVENTS.name)
    messages = [await bus.jetstream.get_msg(streams.EVENTS.name, seq=seq + 1) for seq in range(info.state.messages)]
    return [read_event(message.headers, message.data or b"") for message in messages]


async def test_notes_become_events_in_their_order_and_leave_redis(bus: Bus, redis_url: str) -> None:
    """Those that are there already, and those that come."""
    async with forwarding(bus, redis_url) as forwarder:
        await add(redis_url, *(note(7, number) for number in range(20)))
        assert await until(lambda: forwarder.published == 20, within=PATIENCE)
        await add(redis_url, note(8, 20))
        assert await until(lambda: forwarder.published == 21, within=PATIENCE)
        assert await until(lambda: _none_is_left(redis_url), within=PATIENCE)
    events = await stored(bus)
    assert [json.loads(event.body)["id"] for event in events] == list(range(21))
    assert [event.user for event in events] == ["mirror-7"] * 20 + ["mirror-8"]
    assert len({event.id for event in events}) == 21


async def _none_is_left(redis_url: str) -> bool:
    return await noted(redis_url) == 0


async def test_a_note_that_was_published_and_not_removed_is_stored_once(bus: Bus, redis_url: str) -> None:
    """As after a crash between the two: the note is there again, under its id."""
    async with forwarding(bus, redis_url) as forwarder:
        await add(redis_url, note(7, 0))
        assert await until(lambda: forwarder.published == 1, within=PATIENCE)
        assert await until(lambda: _none_is_left(redis_url), within=PATIENCE)
    (event,) = await stored(bus)
    async with Redis.at(redis_url) as redis:
        await redis.ask("DEL", KEY)  # a stream takes an id below its last one no more
        await redis.ask("XADD", KEY, event.id.removeprefix("mirror-"), FIELD, note(7, 0))
    async with forwarding(bus, redis_url) as forwarder:
        assert await until(lambda: _none_is_left(redis_url), within=PATIENCE)
        assert forwarder.published == 1
    assert await stored(bus) == [event]


async def test_what_cannot_become_an_event_is_counted_and_stops_nothing(bus: Bus, redis_url: str) -> None:
    """By its reason."""
    async with forwarding(bus, redis_url) as forwarder:
        await add(redis_url, note(1, 1, event="typing:started"), "no note", note(1, 2).replace('{"id": 2}', "[2]"))
        await add(redis_url, note(1, 3).replace('"1"', '"a.b"'), note(1, 4))
        assert await until(lambda: forwarder.published == 1, within=PATIENCE)
    assert sum(forwarder.left_out.values()) == len(forwarder.left_out) == 4
    assert [json.loads(event.body) for event in await stored(bus)] == [{"id": 4}]


async def test_nats_may_go_away(nats: Nats, redis_url: str) -> None:
    """Redis keeps what is sent meanwhile."""
    async with running_bus(nats) as bus, forwarding(bus, redis_url) as forwarder:
        await add(redis_url, note(7, 0))
        assert await until(lambda: forwarder.published == 1, within=PATIENCE)
        await nats.kill()
        await add(redis_url, note(7, 1), note(7, 2))
        await nats.start()
        assert await until(lambda: forwarder.published == 3, within=PATIENCE)
        assert [json.loads(event.body)["id"] for event in await stored(bus)] == [0, 1, 2]


async def test_the_services_own_bus_is_refused(bus: Bus) -> None:
    """Whose inbox would otherwise make dead letters of the old system's answers."""
    stream = Stream(bus, streams.EVENTS, replicas=1)
    await stream.wait()
    await bus.jetstream.add_consumer(stream.name, durable_name=INBOX_CONSUMER)
    with pytest.raises(BusInUse, match="NATS server of their own"):
        await Forwarder(stream, "redis://127.0.0.1:1", prefix="").run()


async def test_a_redis_that_is_away_or_refuses_is_said(redis_url: str) -> None:
    """Without its password."""
    for url in ("redis://127.0.0.1:1", redis_url.replace("//", "//alice:secret@"), f"{redis_url}/no-number"):
        with pytest.raises(RedisAway) as raised:
            async with Redis.at(url) as redis:
                await redis.now()
        assert "secret" not in str(raised.value)


def test_only_what_tells_a_user_of_an_event_is_noted() -> None:
    """Other groups, and messages of other kinds, are nobody's events."""
    message = {"type": "send_message", "event": "inbox:deleted", "data": {"id": 3}}
    text = written("user_7", message)
    assert text is not None
    assert read(text) == Sent("7", "inbox:deleted", {"id": 3})
    assert written("room_7", message) is None
    assert written("user_7", {"type": "close_socket"}) is None
    with pytest.raises(TypeError):
        written("user_7", {**message, "data": b"no JSON"})
    with pytest.raises(ValueError, match="JSON"):
        written("user_7", {**message, "data": float("nan")})


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"user":"7","event":"inbox:deleted"}', "null"])
def test_what_the_layer_did_not_write_is_unreadable(text: str) -> None:
    """And says so."""
    with pytest.raises(Unreadable, match=r"mirror\.layer"):
        read(text)
