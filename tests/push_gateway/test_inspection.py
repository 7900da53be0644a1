"""A gateway tells whoever asks on the bus what it knows of a user's sockets, and how far each of them was sent."""

import json
from typing import Any

import nats.errors
import pytest

from chassis.bus import Bus
from contracts.subjects import PUSH_INSPECTION
from devstack.processes import running
from devstack.waiting import until
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.conftest import Connect, ConnectRaw
from tests.push_gateway.stage import Events, Gateway, MonitoredNats, gateway_process, token_for


async def ask(bus: Bus, request: object) -> dict[str, Any]:
    """What the one gateway there is answers."""
    reply = await bus.client.request(PUSH_INSPECTION, json.dumps(request).encode(), timeout=PATIENCE)
    answer: dict[str, Any] = json.loads(reply.data)
    return answer


async def test_a_live_socket_is_told_of_with_what_it_was_sent(
    connect: Connect, gateway: Gateway, events: Events, alice: str, bob: str
) -> None:
    """Each source by itself; and nothing is told of anybody else."""
    client = await connect(alice)
    await connect(bob)
    hello = await client.hello()
    stored = await events.store(alice, 3, sources=("inbox", "connection"))
    await client.take(3)
    answer = await ask(events.bus, {"user": alice})
    [socket] = answer["sockets"]
    assert (answer["user"], answer["epoch"], answer["ready"]) == (alice, hello["data"]["epoch"], True)
    assert answer["gateway"].partition("/")[0].endswith(f":{gateway.port}")
    assert socket["reached"] == {"inbox": stored[2].seq, "connection": stored[1].seq}
    assert (socket["came_with"], socket["anew_at"], socket["live"]) == (None, hello["seq"], True)
    assert (socket["position"], socket["unsent_bytes"]) == (hello["seq"], 0)
    assert bob not in json.dumps(answer)


async def test_a_socket_that_resumed_is_told_of_with_its_cursor_and_where_it_went_live(
    connect: Connect, events: Events, alice: str
) -> None:
    """What stands between the two it was sent as what it had missed."""
    epoch = (await (await connect(alice)).hello())["data"]["epoch"]
    [had, missed] = await events.store(alice, 2)
    back = await connect(alice, query=f"epoch={epoch}&since={had.seq}&connection=0")
    await back.take(1)

    async def resumed() -> list[dict[str, Any]]:
        sockets = (await ask(events.bus, {"user": alice}))["sockets"]
        return [socket for socket in sockets if socket["came_with"] is not None]

    async def went_live() -> bool:
        return (await resumed())[0]["live"] is True

    assert await until(went_live, within=PATIENCE)
    [socket] = await resumed()
    positions = {"inbox": had.seq, "connection": 0}
    assert socket["came_with"] == {"epoch": epoch, "since": had.seq, "positions": positions}
    assert socket["anew_at"] is None
    assert socket["position"] >= missed.seq
    [live] = await events.store(alice)
    await back.take(2)
    [socket] = await resumed()
    assert socket["position"] < live.seq == socket["reached"]["inbox"]


async def test_a_socket_that_has_ended_is_told_of_as_it_was(connect: Connect, events: Events, alice: str) -> None:
    """With its close code; what was stored after its end it has not reached, though another one has."""
    client, staying = await connect(alice), await connect(alice)
    [stored] = await events.store(alice)
    await client.take(1)
    await client.leave()

    async def has_ended() -> bool:
        return bool((await ask(events.bus, {"user": alice}))["ended"])

    assert await until(has_ended, within=PATIENCE)
    [later] = await events.store(alice)
    await staying.take(2)
    answer = await ask(events.bus, {"user": alice})
    [ended] = answer["ended"]
    assert (ended["close_code"], ended["epoch"]) == (1000, answer["epoch"])
    assert ended["opened_at"] < ended["ended_at"]
    assert ended["reached"]["inbox"] == stored.seq
    assert [socket["reached"]["inbox"] for socket in answer["sockets"]] == [later.seq]


async def test_what_is_stored_after_a_socket_was_closed_it_has_not_reached(
    connect: Connect, connect_raw: ConnectRaw, events: Events, alice: str
) -> None:
    """Also while the connection lingers, because the client does not answer the close."""
    raw = await connect_raw(alice, token=token_for(alice, ttl=1))
    staying = await connect(alice)
    [hello] = await raw.texts(1)
    with pytest.raises(AssertionError, match="a whole text"):  # it is a close: the token has expired
        await raw.texts(1)
    [stored] = await events.store(alice)
    await staying.take(1)

    async def has_ended() -> bool:
        return bool((await ask(events.bus, {"user": alice}))["ended"])

    assert await until(has_ended, within=PATIENCE)
    [ended] = (await ask(events.bus, {"user": alice}))["ended"]
    assert hello["seq"] <= ended["reached"]["inbox"] < stored.seq


async def test_without_a_user_the_gateway_tells_of_itself(connect: Connect, events: Events, alice: str) -> None:
    """How many it serves, and how far it is."""
    client = await connect(alice)
    [stored] = await events.store(alice)
    await client.take(1)
    answer = await ask(events.bus, {})
    assert answer["sockets"] >= 1
    assert answer["users"] >= 1
    assert answer["highest_seq"] >= stored.seq


@pytest.mark.parametrize("request_", [{"user": "alice.*"}, {"user": 5}, {"user": None}])
async def test_a_user_that_cannot_be_is_refused(gateway: Gateway, events: Events, request_: object) -> None:
    """With the reason; no socket is told of."""
    answer = await ask(events.bus, request_)
    assert "is not a user id" in answer["error"]
    assert "sockets" not in answer


async def test_what_is_no_request_is_not_answered_and_does_no_harm(
    connect: Connect, gateway: Gateway, events: Events, alice: str
) -> None:
    """The next one is."""
    with pytest.raises(nats.errors.TimeoutError):
        await events.bus.client.request(PUSH_INSPECTION, b"\xff{", timeout=0.2)
    await events.bus.client.publish(PUSH_INSPECTION, b"{}")  # to which nobody wants an answer
    await connect(alice)
    assert len((await ask(events.bus, {"user": alice}))["sockets"]) == 1
    assert await gateway.is_ready()


async def test_each_worker_answers_for_itself(connect: Connect, nats: MonitoredNats, own_events: Events) -> None:
    """Together they tell of every socket, and of each once."""
    child, gateway = gateway_process(nats, PUSH_WORKERS="2", PUSH_DRAIN="0.1")
    async with running(child):

        async def answers() -> list[dict[str, Any]]:
            return await ask_all(own_events.bus, {"user": "alice"})

        async def are_ready() -> bool:
            return [answer["ready"] for answer in await answers()] == [True, True]

        async def tell_of_all() -> bool:
            return sum(len(answer["sockets"]) for answer in await answers()) == 4

        assert await until(are_ready, within=PATIENCE)
        for _ in range(4):
            await connect("alice", to=gateway)
        assert await until(tell_of_all, within=PATIENCE)
        assert len({answer["gateway"] for answer in await answers()}) == 2


async def ask_all(bus: Bus, request: object) -> list[dict[str, Any]]:
    """What all gateways answer that there are; an answer that does not come within a second is none."""
    inbox = bus.client.new_inbox()
    subscription = await bus.client.subscribe(inbox)
    await bus.client.publish(PUSH_INSPECTION, json.dumps(request).encode(), reply=inbox)
    answers: list[dict[str, Any]] = []
    try:
        while True:
            message = await subscription.next_msg(timeout=1)
            if message.data:  # it has none where nobody listens
                answers.append(json.loads(message.data))
    except nats.errors.TimeoutError:
        return answers
    finally:
        await subscription.unsubscribe()
