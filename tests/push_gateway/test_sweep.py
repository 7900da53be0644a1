"""Finding what was lost although nothing later shows it, and noticing that the stream is another one."""

import pytest

from chassis.streams import EPOCH
from tests.push_gateway.conftest import Connect
from tests.push_gateway.stage import Events, Gateway, MonitoredNats, running_gateway


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that sweeps several times a second."""
    monkeypatch.setattr("push_gateway.sweep.INTERVAL", 0.2)
    monkeypatch.setattr("push_gateway.sweep.GRACE", 0.05)


pytestmark = pytest.mark.usefixtures("_often")


async def test_a_lost_event_without_a_successor_is_found(
    connect: Connect, own_gateway: Gateway, own_events: Events
) -> None:
    """In order, once; a stranger's feed is left alone."""
    client, stranger = await connect("alice", to=own_gateway), await connect("bob", to=own_gateway)
    async with own_events.losing_live_copies():
        lost = await own_events.store("alice", 3, sources=("inbox", "connection"))
    assert await client.take(3) == [event.frame for event in lost]
    [marker] = await own_events.store("bob")
    assert await stranger.take(1) == [marker.frame]


async def test_a_lost_event_among_many_of_others_is_found(
    connect: Connect, own_gateway: Gateway, own_events: Events
) -> None:
    """When more was stored than there are feeds, each feed's last sequences are asked for instead."""
    client, stranger = await connect("alice", to=own_gateway), await connect("bob", to=own_gateway)
    async with own_events.losing_live_copies():
        lost = await own_events.store("alice", 3, sources=("inbox", "connection"))
        await own_events.store("nobody-here", 200)
    assert await client.take(3) == [event.frame for event in lost]
    [marker] = await own_events.store("bob")
    assert await stranger.take(1) == [marker.frame]


async def test_a_position_moves_on_with_the_stream(connect: Connect, nats: MonitoredNats, own_events: Events) -> None:
    """Else a client that was sent nothing for longer than the stream keeps events could not resume."""
    async with running_gateway(nats, PUSH_HEARTBEAT=1) as gateway:
        client = await connect("alice", to=gateway)
        last = (await own_events.store("bob", 5))[-1]
        await client.wait(lambda: client.frames[-1]["seq"] == last.seq)
        assert client.events == []


async def test_a_new_stream_is_noticed_and_told_of(connect: Connect, own_gateway: Gateway, own_events: Events) -> None:
    """A resync with the new epoch, from which on everything follows; a device that comes back is not resumed."""
    client = await connect("alice", to=own_gateway)
    hello = await client.hello()
    before = await own_events.store("alice", 5)
    await client.take(5)
    await own_events.bus.jetstream.delete_stream(own_events.stream.name)
    made = await own_events.stream.ensure()
    resync = await client.first("resync")
    assert resync["data"]["epoch"] == (made.config.metadata or {})[EPOCH] != hello["data"]["epoch"]
    after = await own_events.store("alice", 3, sources=("inbox", "connection"))
    assert (await client.take(8))[5:] == [event.frame for event in after]
    query = f"epoch={hello['data']['epoch']}&since={before[0].seq}"
    back = await connect("alice", to=own_gateway, query=query)
    assert not (await back.hello())["data"]["resumed"]
    assert (await back.hello())["data"]["epoch"] == resync["data"]["epoch"]
