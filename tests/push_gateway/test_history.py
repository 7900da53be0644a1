"""A stream that lost its end, and what is published again because of that."""

import pytest

from chassis.streams import Stream
from contracts import streams
from contracts.cloudevents import REPUBLISHED
from contracts.subjects import event_subject, user_id
from tests.push_gateway.conftest import Connect
from tests.push_gateway.stage import Events, Gateway


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that sweeps several times a second."""
    monkeypatch.setattr("push_gateway.sweep.INTERVAL", 0.2)


@pytest.mark.usefixtures("_often")
async def test_a_stream_that_lost_its_end_makes_every_client_fetch_its_state(
    own_events: Events, own_gateway: Gateway, connect: Connect
) -> None:
    """Also before anybody has given it a new epoch; and what is stored from then on arrives."""
    device = await connect("alice", to=own_gateway)
    epoch = (await device.hello())["data"]["epoch"]
    await own_events.store("alice", 5)
    await device.take(5)
    await own_events.bus.jetstream.delete_stream(streams.EVENTS.name)
    await Stream(own_events.bus, streams.EVENTS, replicas=1, new_epoch=lambda: epoch).ensure()
    assert (await device.first("resync"))["seq"] == 0
    [stored] = await own_events.store("alice")
    assert stored.seq == 1
    assert (await device.take(6))[5:] == [stored.frame]


async def test_what_is_published_again_is_no_frame_and_no_gap(
    gateway: Gateway, events: Events, connect: Connect, alice: str
) -> None:
    """Whoever was there has been told to fetch the state that it led to; so has whoever resumes."""
    device = await connect(alice, to=gateway)
    hello = await device.hello()
    [first] = await events.store(alice)
    copy = first.event.headers() | {"Nats-Msg-Id": f"{first.event.id}-again", REPUBLISHED: "true"}
    subject = event_subject(user_id(alice), "inbox")
    await events.bus.jetstream.publish(subject, first.event.body, headers=copy)
    [second] = await events.store(alice)
    assert await device.take(2) == [first.frame, second.frame]
    query = f"epoch={hello['data']['epoch']}&since={hello['seq']}"
    again = await connect(alice, to=gateway, query=query)
    assert await again.take(2) == [first.frame, second.frame]
