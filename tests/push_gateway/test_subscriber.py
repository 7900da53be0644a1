"""Messages handed over by nats-py's client as they come in: what an upgrade of nats-py may break."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from devstack.waiting import until
from push_gateway.subscriber import Subscriber
from tests.conftest import running_bus, settled
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.stage import MonitoredNats

Arrival = tuple[bytes, bytes | None, bytes]


class Arrivals:
    """Takes what a subscription delivers."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Arrival] = asyncio.Queue()

    def __call__(self, subject: bytes, _: bytes, headers: bytes | None, body: bytes) -> None:
        self.queue.put_nowait((subject, headers, body))

    async def next(self) -> Arrival:
        async with asyncio.timeout(PATIENCE):
            return await self.queue.get()


@contextlib.asynccontextmanager
async def connected(nats: MonitoredNats) -> AsyncIterator[Subscriber]:
    client = Subscriber()
    async with running_bus(nats, client):
        yield client


@pytest.fixture
async def subscriber(shared_nats: MonitoredNats) -> AsyncIterator[Subscriber]:
    """A connected one."""
    async with connected(shared_nats) as client:
        yield client


def test_what_is_overridden_is_what_nats_py_calls() -> None:
    """The one private method, by name, parameters and kind; its caller passes them by position."""
    theirs, ours = Client._process_msg, Subscriber._process_msg  # noqa: SLF001
    assert list(inspect.signature(theirs).parameters) == ["self", "sid", "subject", "reply", "data", "headers"]
    assert inspect.signature(ours).parameters.keys() == inspect.signature(theirs).parameters.keys()
    assert inspect.iscoroutinefunction(theirs)


async def test_a_message_comes_with_its_raw_headers(subscriber: Subscriber, alice: str) -> None:
    """Bytes as they stand on the wire, the version line and the empty line included."""
    arrivals = Arrivals()
    await subscriber.take(f"{alice}.*", arrivals)
    await subscriber.publish(f"{alice}.x", b"body", headers={"ce-id": "e1", "ce-type": "t"})
    subject, headers, body = await arrivals.next()
    assert (subject, body) == (f"{alice}.x".encode(), b"body")
    assert headers == b"NATS/1.0\r\nce-id: e1\r\nce-type: t\r\n\r\n"
    assert {type(part) for part in (subject, headers, body)} == {bytes}


async def test_a_message_without_headers_comes_with_none(subscriber: Subscriber, alice: str) -> None:
    """Not with empty ones."""
    arrivals = Arrivals()
    await subscriber.take(alice, arrivals)
    await subscriber.publish(alice, b"")
    assert await arrivals.next() == (alice.encode(), None, b"")


async def test_what_is_on_its_way_to_who_has_given_up_is_dropped(subscriber: Subscriber, alice: str, bob: str) -> None:
    """And ends nothing: whoever else has subscribed hears what comes behind it."""
    gone, there = Arrivals(), Arrivals()
    given_up = await subscriber.take(alice, gone)
    await subscriber.take(bob, there)
    subscriber._let_go(given_up)  # noqa: SLF001 - the server has not been told yet
    await subscriber.publish(alice, b"1")
    await subscriber.publish(bob, b"2")
    assert await there.next() == (bob.encode(), None, b"2")
    assert gone.queue.empty()


async def test_a_message_goes_to_its_own_subscription_only(subscriber: Subscriber, alice: str, bob: str) -> None:
    """Whoever has subscribed to something else hears nothing."""
    for_alice, for_bob = Arrivals(), Arrivals()
    await subscriber.take(f"push.{alice}.*", for_alice)
    await subscriber.take(f"push.{bob}.*", for_bob)
    await subscriber.publish(f"push.{alice}.inbox", b"1")
    await subscriber.publish(f"push.{bob}.inbox", b"2")
    assert (await for_alice.next())[2] == b"1"
    assert (await for_bob.next())[2] == b"2"
    assert for_alice.queue.empty()


async def test_messages_come_in_order_and_wait_nowhere(subscriber: Subscriber, alice: str) -> None:
    """nats-py's own queue, and with it its limit, is not involved: there is one for all, and nothing stays in it."""
    arrivals = Arrivals()
    subscription = await subscriber.take(alice, arrivals)
    other = await subscriber.take(f"{alice}.other", Arrivals())
    assert vars(subscription)["_pending_queue"] is vars(other)["_pending_queue"]
    for number in range(2_000):
        await subscriber.publish(alice, b"%d" % number)
    assert [(await arrivals.next())[2] for _ in range(2_000)] == [b"%d" % number for number in range(2_000)]
    assert (subscription.pending_bytes, subscription.pending_msgs) == (0, 0)


async def test_what_was_not_taken_works_as_in_nats_py(subscriber: Subscriber, alice: str) -> None:
    """Requests and the JetStream API go over the same connection."""
    service = await subscriber.subscribe(alice)
    request = asyncio.create_task(subscriber.request(alice, b"ping", timeout=PATIENCE))
    message = await service.next_msg(timeout=PATIENCE)
    await message.respond(b"pong")
    assert (await request).data == b"pong"


async def test_messages_that_were_handed_over_are_counted(subscriber: Subscriber, alice: str) -> None:
    """nats-py's own statistics stay right."""
    arrivals = Arrivals()
    await subscriber.take(alice, arrivals)
    before = dict(subscriber.stats)
    await subscriber.publish(alice, b"four")
    await arrivals.next()
    assert subscriber.stats["in_msgs"] - before["in_msgs"] == 1
    assert subscriber.stats["in_bytes"] - before["in_bytes"] == 4


async def test_what_was_given_up_ends_at_the_server(shared_nats: MonitoredNats, alice: str, bob: str) -> None:
    """Else a gateway would be sent the messages of everybody who has ever been there."""
    async with connected(shared_nats) as client:
        arrivals, others = Arrivals(), Arrivals()
        subscription = await client.take(alice, arrivals)
        await client.take(bob, others)
        await settled(client)
        assert await shared_nats.subscriptions("test") >= {alice, bob}
        await client.give_up(subscription)
        await client.publish(alice, b"late")
        await client.publish(bob, b"marker")
        await others.next()
        assert arrivals.queue.empty()
        assert alice not in await shared_nats.subscriptions("test")


async def test_a_failure_in_taking_over_is_reported_and_stops_nothing(subscriber: Subscriber, alice: str) -> None:
    """Raised where it happens it would end nats-py's reading without a word."""
    arrivals = Arrivals()

    def fails(subject: bytes, reply: bytes, headers: bytes | None, body: bytes) -> None:
        arrivals(subject, reply, headers, body)
        raise LookupError(body.decode())

    await subscriber.take(alice, fails)
    await subscriber.publish(alice, b"first")
    await subscriber.publish(alice, b"second")
    assert [(await arrivals.next())[2], (await arrivals.next())[2]] == [b"first", b"second"]
    with pytest.raises(LookupError, match="first"):
        await asyncio.wait_for(subscriber.failed, PATIENCE)


async def test_a_subscription_survives_a_new_connection(nats: MonitoredNats, alice: str) -> None:
    """nats-py subscribes anew under the same number, by which we know it."""
    async with connected(nats) as client:
        arrivals = Arrivals()
        await client.take(alice, arrivals)
        await nats.kill()
        await nats.start()
        assert await until(lambda: client.is_connected and client.stats["reconnects"] == 1, within=PATIENCE)
        await client.publish(alice, b"after")
        assert (await arrivals.next())[2] == b"after"
