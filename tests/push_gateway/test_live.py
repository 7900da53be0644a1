"""Live delivery: to every device of whom it is for, to nobody else, and whole whatever is lost on the way."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from devstack.waiting import until
from tests.conftest import running_bus
from tests.push_gateway.clients import PATIENCE, Client
from tests.push_gateway.conftest import Connect
from tests.push_gateway.stage import Events, Gateway, Line, MonitoredNats, Stored, running_gateway, token_for


def frames(*stored: list[Stored]) -> list[object]:
    """The frames that tell of these."""
    return [event.frame for part in stored for event in part]


async def test_an_event_reaches_every_device_of_its_user_and_nobody_else(
    connect: Connect, events: Events, alice: str, bob: str
) -> None:
    """`seq` is where it stands in the stream, and the stranger's first frame is the stranger's own."""
    devices = [await connect(alice), await connect(alice)]
    stranger = await connect(bob)
    stored = await events.store(alice, 20, sources=("inbox", "connection"))
    for_bob = await events.store(bob)
    for device in devices:
        assert await device.take(20) == frames(stored)
    assert await stranger.take(1) == frames(for_bob)


async def test_the_body_arrives_byte_for_byte(connect: Connect, events: Events, alice: str) -> None:
    """Not parsed and written anew: the gateway does not know what an event says."""
    client = await connect(alice)
    [stored] = await events.store(alice)
    await client.take(1)
    assert client.texts[-1].endswith(f'"data":{stored.event.body.decode()}}}')


async def test_names_that_resemble_each_other_are_different_people(
    connect: Connect, events: Events, alice: str
) -> None:
    """One whose id begins, ends or is spelled like a part of another's subject hears nothing of it."""
    others = [await connect(user) for user in (f"{alice}-", f"{alice}_inbox", alice.upper(), "inbox", "_", "-")]
    await events.store(alice, 3)
    for other in others:
        marker = await events.store(other.frames[0]["data"]["user_id"])
        assert await other.take(1) == frames(marker)


async def test_the_sockets_of_a_user_share_one_subscription(
    connect: Connect, shared_nats: MonitoredNats, alice: str
) -> None:
    """It ends with the last of them, and begins again with the next."""

    async def subscribed() -> bool:
        return f"push.{alice}.*" in await shared_nats.subscriptions()

    async def not_subscribed() -> bool:
        return not await subscribed()

    first = await connect(alice)
    count = len(await shared_nats.subscriptions())
    second = await connect(alice)
    assert len(await shared_nats.subscriptions()) == count
    await first.leave()
    assert await subscribed()
    await second.leave()
    assert await until(not_subscribed, within=PATIENCE)
    await (await connect(alice)).hello()
    assert await subscribed()


async def test_a_client_that_goes_at_once_leaves_nothing_behind(
    shared_nats: MonitoredNats, gateway: Gateway, alice: str
) -> None:
    """Also when it goes while its feed is being opened."""
    before = await gateway.count("tandem_push_sockets ")
    subprotocols = ("tandem.v1", f"bearer.{token_for(alice)}")
    for _ in range(20):
        await (await Client.open(gateway.port, subprotocols=subprotocols)).leave()

    async def clean() -> bool:
        return (
            await gateway.count("tandem_push_sockets ") <= before
            and f"push.{alice}.*" not in await shared_nats.subscriptions()
        )

    assert await until(clean, within=PATIENCE)


async def test_a_heartbeat_tells_where_one_stands(connect: Connect, nats: MonitoredNats, own_events: Events) -> None:
    """Without any event it is the position of `hello`, then that of the last event."""
    async with running_gateway(nats, PUSH_HEARTBEAT=1) as gateway:
        client = await connect("alice", to=gateway)
        hello = await client.hello()
        assert await client.first("heartbeat") == {
            "event": "heartbeat",
            "seq": hello["seq"],
            "whole": hello["seq"],
        }
        [stored] = await own_events.store("alice")
        await own_events.store("bob")
        await client.take(1)
        await client.wait(lambda: client.frames[-1]["event"] == "heartbeat")
        assert client.frames[-1]["seq"] == stored.seq


async def test_events_that_were_lost_on_the_way_are_read_from_the_stream(
    connect: Connect, events: Events, gateway: Gateway, alice: str, bob: str
) -> None:
    """As soon as a later one shows that they are missing, in order, once."""
    client, stranger = await connect(alice), await connect(bob)
    first = await events.store(alice, 2, sources=("inbox", "connection"))
    repairs = await gateway.count("tandem_push_repairs_total")
    async with events.losing_live_copies():
        lost = await events.store(alice, 5, sources=("inbox", "connection"))
    last = await events.store(alice, 2, sources=("inbox", "connection"))
    assert await client.take(9) == frames(first, lost, last)
    assert await gateway.count("tandem_push_repairs_total") > repairs
    marker = await events.store(bob)
    assert await stranger.take(1) == frames(marker)


async def test_a_long_gap_is_read_in_parts(connect: Connect, events: Events, alice: str) -> None:
    """While it is being read, live events wait their turn."""
    client = await connect(alice)
    async with events.losing_live_copies():
        lost = await events.store(alice, 1_500, sources=("inbox", "connection"))
    last = await events.store(alice, 20, sources=("inbox", "connection"))
    assert await client.take(1_520) == frames(lost, last)


async def test_a_gap_of_one_source_keeps_the_order_within_each(connect: Connect, events: Events, alice: str) -> None:
    """An event of the other source may overtake a lost one, because nothing tells of the loss before its successor."""
    client = await connect(alice)
    async with events.losing_live_copies():
        lost = await events.store(alice, 1, sources=("connection",))
    inbox = await events.store(alice, 2)
    await client.take(2)
    later = await events.store(alice, 1, sources=("connection",))
    found = await client.take(4)
    assert sorted(frame["seq"] for frame in found) == [event.seq for event in lost + inbox + later]
    of_source = [frame for frame in found if frame["event"].startswith("connection")]
    assert of_source == frames(lost, later)


async def test_copies_are_dropped(connect: Connect, events: Events, alice: str) -> None:
    """A new leader of the stream may republish what the old one has republished, in whatever order."""
    client = await connect(alice)
    nats_client = events.bus.client
    live = await nats_client.subscribe(f"push.{alice}.*")
    stored = await events.store(alice, 4, sources=("inbox", "connection"))
    copies = [await live.next_msg(timeout=PATIENCE) for _ in stored]
    await live.unsubscribe()
    for copy in (*reversed(copies), *copies):
        await nats_client.publish(copy.subject, copy.data, headers=copy.headers)
    last = await events.store(alice)
    assert await client.take(5) == frames(stored, last)


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {"x": "y"},
        {"Nats-Sequence": "1", "Nats-Last-Sequence": "0"},
        {"Nats-Sequence": "9" * 5_000, "Nats-Last-Sequence": "0", "ce-id": "e", "ce-type": "t"},
        {"Nats-Sequence": "-1", "Nats-Last-Sequence": "0", "ce-id": "e", "ce-type": "t"},
        {"Nats-Sequence": "1", "Nats-Last-Sequence": "0", "ce-id": 'e"', "ce-type": "t"},
    ],
)
async def test_what_is_no_event_is_counted_and_ignored(
    connect: Connect, events: Events, gateway: Gateway, alice: str, headers: dict[str, str] | None
) -> None:
    """Whoever has published it; the user's events go on."""
    client = await connect(alice)
    before = await gateway.count("tandem_push_malformed_messages_total")
    await events.bus.client.publish(f"push.{alice}.inbox", b"{}", headers=headers)
    stored = await events.store(alice)
    assert await client.take(1) == frames(stored)
    assert await gateway.count("tandem_push_malformed_messages_total") == before + 1


async def test_two_gateways_tell_the_same(
    connect: Connect, nats: MonitoredNats, own_gateway: Gateway, own_events: Events
) -> None:
    """A user may have devices on both."""
    async with running_gateway(nats) as other:
        devices = [await connect("alice", to=own_gateway), await connect("alice", to=other)]
        stored = await own_events.store("alice", 3)
        for device in devices:
            assert await device.take(3) == frames(stored)


async def test_sockets_survive_a_restart_of_nats(
    connect: Connect, nats: MonitoredNats, own_gateway: Gateway, own_events: Events
) -> None:
    """Killed, started again: what is stored from the first moment on arrives, in order, once, on the same sockets."""
    client, stranger = await connect("alice", to=own_gateway), await connect("bob", to=own_gateway)
    before = await own_events.store("alice", 2, sources=("inbox", "connection"))
    await client.take(2)
    await nats.kill()
    await nats.start()
    async with running_bus(nats) as bus:
        after = await Events(bus).store("alice", 5, sources=("inbox", "connection"))
        assert await client.take(7) == frames(before, after)
        marker = await Events(bus).store("bob")
        assert await stranger.take(1) == frames(marker)


@contextlib.asynccontextmanager
async def behind(line: Line, nats: MonitoredNats) -> AsyncIterator[Gateway]:
    """A gateway that reaches NATS over a line."""
    async with line.to(nats.port), running_gateway(nats, url=line.url) as gateway:
        yield gateway


async def test_what_is_stored_while_the_gateway_is_cut_off_arrives_when_it_is_back(
    connect: Connect, nats: MonitoredNats, own_events: Events
) -> None:
    """Without any later event that would show the gap, in order, once, on the same sockets; to nobody else."""
    line = Line()
    async with behind(line, nats) as gateway:
        client, stranger = await connect("alice", to=gateway), await connect("bob", to=gateway)
        before = await own_events.store("alice", 2, sources=("inbox", "connection"))
        await client.take(2)
        line.cut()
        assert await until(gateway.is_not_ready, within=PATIENCE)
        missed = await own_events.store("alice", 600, sources=("inbox", "connection"))
        line.mend()
        assert await client.take(602) == frames(before, missed)
        after = await own_events.store("alice", 2, sources=("inbox", "connection"))
        assert await client.take(604) == frames(before, missed, after)
        marker = await own_events.store("bob")
        assert await stranger.take(1) == frames(marker)
