"""Coming back: what was missed follows, in order, once, or the client is told that this cannot be proven."""

import asyncio
import random

import pytest

from contracts.frames import HelloFrame
from devstack.waiting import until
from tests.push_gateway.clients import PATIENCE, Client, Frame
from tests.push_gateway.conftest import Connect, ConnectRaw
from tests.push_gateway.stage import Events, Gateway, MonitoredNats, Stored, running_gateway

TOO_SLOW = 'tandem_push_refusals_total{code="4408"}'

STALL = 0.3
"""Seconds for which a client may take nothing, where that is tried."""


async def since(events: Events, seq: int) -> str:
    """The query of a client that has everything up to `seq`."""
    info = await events.stream.info()
    assert info is not None
    return f"epoch={(info.config.metadata or {})['epoch']}&since={seq}"


def frames(*stored: list[Stored]) -> list[Frame]:
    """The frames that tell of these."""
    return [event.frame for part in stored for event in part]


async def greeted(client: Client) -> tuple[bool, int]:
    """Whether a client was promised what it missed, and the position that it goes on from."""
    hello = HelloFrame.model_validate(await client.hello())
    return hello.data.resumed, hello.seq


async def test_what_was_missed_follows_and_then_what_is_live(
    connect: Connect, events: Events, alice: str, bob: str
) -> None:
    """In order, once, and only what is one's own."""
    stored = await events.store(alice, 3, sources=("inbox", "connection"))
    await events.store(bob, 2)
    missed = await events.store(alice, 3, sources=("inbox", "connection"))
    client = await connect(alice, query=await since(events, stored[-1].seq))
    assert await greeted(client) == (True, stored[-1].seq)
    assert await client.take(3) == frames(missed)
    await events.store(bob)
    live = await events.store(alice, 2, sources=("inbox", "connection"))
    assert await client.take(5) == frames(missed, live)
    assert [frame["event"] for frame in client.frames].count("hello") == 1


async def test_one_who_has_missed_nothing_is_sent_nothing(
    connect: Connect, events: Events, alice: str, bob: str
) -> None:
    """Whether the position is that of an own event or of somebody else's behind it."""
    [own] = await events.store(alice)
    [others] = await events.store(bob)
    clients = []
    for seq in (own.seq, others.seq):
        clients.append(await connect(alice, query=await since(events, seq)))
        assert await greeted(clients[-1]) == (True, seq)
    live = await events.store(alice)
    for client in clients:
        assert await client.take(1) == frames(live)


async def test_a_device_may_come_back_to_another_gateway(
    connect: Connect, nats: MonitoredNats, own_gateway: Gateway, own_events: Events
) -> None:
    """A position means the same everywhere."""
    first = await connect("alice", to=own_gateway)
    before = await own_events.store("alice", 2)
    await first.take(2)
    epoch = first.frames[0]["data"]["epoch"]
    await first.leave()
    missed = await own_events.store("alice", 2)
    async with running_gateway(nats) as other:
        second = await connect("alice", to=other, query=f"epoch={epoch}&since={before[-1].seq}")
        assert await second.take(2) == frames(missed)


async def not_resumed(client: Client, events: Events, user: str, at: int) -> None:
    """It stands where the stream stands, is sent nothing of the past, and everything from then on."""
    assert await greeted(client) == (False, at)
    live = await events.store(user)
    assert await client.take(1) == frames(live)


async def test_a_position_above_the_end_is_not_resumed(connect: Connect, events: Events, alice: str) -> None:
    """The stream has lost its end, or the client has made it up."""
    [stored] = await events.store(alice)
    client = await connect(alice, query=await since(events, stored.seq + 1))
    await not_resumed(client, events, alice, stored.seq)


@pytest.mark.parametrize("query", ["since=1&epoch=another", "since=1", "epoch={epoch}", "epoch={epoch}&since=x"])
async def test_a_cursor_of_another_history_or_of_none_is_not_resumed(
    connect: Connect, events: Events, alice: str, query: str
) -> None:
    """A sequence means nothing there."""
    [stored] = await events.store(alice)
    epoch = (await since(events, 0)).split("&")[0].removeprefix("epoch=")
    client = await connect(alice, query=query.format(epoch=epoch))
    await not_resumed(client, events, alice, stored.seq)


async def test_what_the_stream_no_longer_holds_is_not_resumed(
    connect: Connect, own_gateway: Gateway, own_events: Events
) -> None:
    """The first sequence alone decides, whoever's events are gone; just behind them all is well."""
    stored = await own_events.store("bob", 3) + await own_events.store("alice", 3)
    gone = stored[3].seq
    await own_events.bus.jetstream.purge_stream(own_events.stream.name, seq=gone + 1)
    whole = await connect("alice", to=own_gateway, query=await since(own_events, gone))
    assert await greeted(whole) == (True, gone)
    assert await whole.take(2) == frames(stored[4:])
    for seq in (gone - 1, stored[0].seq, 0):
        client = await connect("alice", to=own_gateway, query=await since(own_events, seq))
        assert await greeted(client) == (False, stored[-1].seq)


async def test_a_resume_amid_live_events_has_neither_hole_nor_double(
    connect: Connect, events: Events, alice: str, bob: str
) -> None:
    """Devices come back from anywhere, again and again, while a writer goes on; a stranger hears nothing."""
    stranger = await connect(bob)
    stored = await events.store(alice, 50, sources=("inbox", "connection"))
    devices: list[tuple[Client, int]] = []

    async def write() -> None:
        while len(devices) < 40:
            stored.extend(await events.store(alice, random.randint(1, 12), sources=("inbox", "connection")))

    writing = asyncio.create_task(write())
    while len(devices) < 40:
        index = random.randrange(len(stored))
        devices.append((await connect(alice, query=await since(events, stored[index].seq)), index))
        if len(devices) % 8 == 0:
            await asyncio.gather(*(device.leave() for device, _ in devices[-8:-2]))
    await writing
    stored += await events.store(alice)
    expected = frames(stored)
    for device, index in devices:
        if device.open_still:
            await device.wait(lambda device=device: device.seqs[-1:] == [stored[-1].seq])  # type: ignore[misc]
            assert device.events == expected[index + 1 :]
        assert device.events == expected[index + 1 :][: len(device.events)]
    marker = await events.store(bob)
    assert await stranger.take(1) == frames(marker)


async def test_a_long_resume_keeps_the_pace_of_its_client_and_delays_nobody(
    connect: Connect, nats: MonitoredNats, own_events: Events, connect_raw: ConnectRaw
) -> None:
    """A neighbour's events arrive while the client takes nothing; when it reads again it ends in live delivery."""
    async with running_gateway(nats, PUSH_HEARTBEAT=1) as gateway:
        stored = await own_events.store("alice", 5_000, sources=("inbox", "connection"), size=2_000)
        neighbour, quick = await connect("bob", to=gateway), await connect("alice", to=gateway)
        slow = await connect_raw("alice", to=gateway, query=await since(own_events, 0))
        for_bob = [await own_events.store("bob") for _ in range(20)]
        assert await neighbour.take(20) == frames(*for_bob)
        await neighbour.first("heartbeat")
        live = await own_events.store("alice", 3)
        assert await quick.take(3) == frames(live)
        received = await slow.texts_until(live[-1].seq)
    assert received[0]["data"]["resumed"]
    assert [frame for frame in received if "id" in frame] == frames(stored, live)
    positions = [frame["seq"] for frame in received]
    assert positions == sorted(positions), "a heartbeat in between does not go back"


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that soon gives up on who takes nothing, and sends at once what takes far longer to be taken slowly."""
    monkeypatch.setattr("push_gateway.session.REPLAY_STALL", STALL)
    monkeypatch.setattr("push_gateway.reader.BATCH_BYTES", 64 * 1024 * 1024)


@pytest.mark.usefixtures("_impatient")
async def test_a_client_that_takes_nothing_of_its_resume_is_closed(
    gateway: Gateway, events: Events, alice: str, connect_raw: ConnectRaw
) -> None:
    """4408: a resume must not last for ever."""
    await events.store(alice, 200, size=100_000)
    before = await gateway.count(TOO_SLOW)
    await connect_raw(alice, query=await since(events, 0))

    async def refused() -> bool:
        return await gateway.count(TOO_SLOW) == before + 1

    assert await until(refused, within=PATIENCE)


@pytest.mark.usefixtures("_impatient")
async def test_a_client_that_takes_its_resume_slowly_is_not_closed(
    events: Events, alice: str, connect_raw: ConnectRaw
) -> None:
    """It takes several times as long as one that takes nothing may stay, gets everything, and then what is live."""
    stored = await events.store(alice, 60, size=100_000)
    slow = await connect_raw(alice, query=await since(events, 0))
    received = await slow.texts(1)

    async def whole() -> bool:
        received.extend(await slow.texts(1))
        return bool(received[-1]["seq"] == stored[-1].seq)

    assert await until(whole, within=PATIENCE, every=STALL / 10)
    live = await events.store(alice)
    received += await slow.texts_until(live[-1].seq)
    assert [frame for frame in received if "id" in frame] == frames(stored, live)


async def test_a_device_that_comes_back_ahead_of_the_feed_is_sent_nothing_twice(
    connect: Connect, events: Events, alice: str
) -> None:
    """It reads from the stream what the feed has not noticed to be missing; the devices that were there get it too."""
    present = await connect(alice)
    [known] = await events.store(alice)
    await present.take(1)
    async with events.losing_live_copies():
        lost = await events.store(alice, 3, sources=("inbox", "connection"))
    back = await connect(alice, query=await since(events, known.seq))
    assert await back.take(3) == frames(lost)
    live = await events.store(alice, 2, sources=("inbox", "connection"))
    assert await back.take(5) == frames(lost, live)
    assert await present.take(6) == frames([known], lost, live)


async def test_a_device_that_has_read_what_the_feed_repairs_later_is_not_sent_it_again(
    connect: Connect, events: Events, alice: str
) -> None:
    """Nor is one that has just come: what stood below the position of its `hello` is in the state that it fetches."""
    present = await connect(alice)
    async with events.losing_live_copies():
        lost = await events.store(alice, 1, sources=("connection",))
    shown = await events.store(alice)
    await present.take(1)
    back = await connect(alice, query=await since(events, lost[0].seq - 1))
    assert await back.take(2) == frames(lost, shown)
    new = await connect(alice)
    assert await greeted(new) == (False, shown[0].seq)
    live = await events.store(alice, 2, sources=("connection", "inbox"))
    assert await back.take(4) == frames(lost, shown, live)
    assert await new.take(2) == frames(live)
    assert await present.take(4) == frames(shown, lost, live)


async def test_a_resume_of_what_is_purged_meanwhile_ends_in_a_resync(
    connect_raw: ConnectRaw, own_gateway: Gateway, own_events: Events
) -> None:
    """Retention may pass while one reads: before anything that comes after the hole the client is told of it."""
    stored = await own_events.store("alice", 4_000, size=2_000)
    client = await connect_raw("alice", to=own_gateway, query=await since(own_events, 0))
    await client.texts(1)
    await own_events.bus.jetstream.purge_stream(own_events.stream.name)
    live = await own_events.store("alice")
    received: list[Frame] = []
    while not received or received[-1]["event"] != "resync":
        received += await client.texts(1)
    *whole, resync = received
    assert whole == frames(stored)[: len(whole)]
    assert len(whole) < len(stored)
    live += await own_events.store("alice")
    behind = [each for each in live if each.seq > resync["seq"]]
    assert await client.texts(len(behind)) == frames(behind)


async def test_who_has_seen_the_later_of_two_sources_is_sent_the_earlier_of_the_other(
    connect: Connect, events: Events, alice: str
) -> None:
    """The live copy of the earlier one was lost, and nobody had noticed when the device went away."""
    device = await connect(alice)
    begin = (await device.hello())["seq"]
    async with events.losing_live_copies():
        lost = await events.store(alice, 1, sources=("connection",))
    shown = await events.store(alice)
    assert await device.take(1) == frames(shown)
    await device.leave()
    seq = shown[0].seq
    back = await connect(alice, query=f"{await since(events, seq)}&connection={begin}&inbox={seq}")
    live = await events.store(alice, 2, sources=("connection", "inbox"))
    assert await back.take(3) == frames(lost, live)


async def test_many_devices_come_back_at_once(connect: Connect, events: Events, alice: str, bob: str) -> None:
    """More than may read at the same time; each gets all of its own."""
    stored = {user: await events.store(user, 300, sources=("inbox", "connection")) for user in (alice, bob)}
    cursors = {user: await since(events, stored[user][0].seq - 1) for user in stored}
    users = [alice, bob] * 30
    clients = await asyncio.gather(*(connect(user, query=cursors[user]) for user in users))
    for user, client in zip(users, clients, strict=True):
        assert await client.take(300) == frames(stored[user])
