"""The bus as others see it: a plain NATS client and the CloudEvents SDK, with nothing of ours."""

import contextlib
import json
from collections.abc import AsyncIterator

import nats
import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from contracts.events import EVENT_TYPES
from tests.conftest import settled
from tests.system.conftest import People
from tests.system.device import PATIENCE
from tests.system.system import System

LAST = "the last one"


@pytest.fixture
async def subscription(system: System) -> AsyncIterator[Subscription]:
    """Everything that is published while the test runs."""
    client = await nats.connect(system.nats, nkeys_seed=str(system.bus_keys.seed_file("admin")))
    yield await client.subscribe("events.>")
    await client.close()


async def messages_until(subscription: Subscription, title: str) -> list[Msg]:
    """All messages up to the item with a title."""
    messages: list[Msg] = []
    while not messages or json.loads(messages[-1].data).get("title") != title:
        messages.append(await subscription.next_msg(timeout=PATIENCE))
    return messages


def read(message: Msg) -> BaseCloudEvent:
    """The message as a CloudEvent; the SDK raises for one that is not."""
    return from_binary_event(HTTPMessage(message.headers or {}, message.data))


async def test_a_plain_subscriber_reads_every_message_as_a_valid_cloudevent(
    system: System, people: People, subscription: Subscription
) -> None:
    """Every kind of event that there is, and each with the subject, source and user that belong together."""
    alice, bob = people.someone("alice"), people.someone("bob")
    async with system.device(bob) as device:
        invite = await system.post(f"{system.connection}/partnership/invites", alice)
        await system.post(f"{system.connection}/partnership/accept", bob, {"code": invite["code"]})
        await system.answer(alice)
        item = (await device.event("inbox:created"))["data"]["id"]
        await system.post(f"{system.inbox}/items/{item}/read", bob)
        (await system.ask("DELETE", f"{system.inbox}/items/{item}", bob)).raise_for_status()
        await device.event("inbox:deleted")
        (await system.ask("DELETE", f"{system.connection}/partnership", bob)).raise_for_status()
        await device.event("connection_partnership:ended")
        await system.item(bob, LAST)
        messages = await messages_until(subscription, LAST)
        [heard] = await system.heard(device)
        frames = {frame["id"]: frame for frame in heard}
    seen = set()
    for message in messages:
        event = read(message)
        _, user, source = message.subject.split(".")
        assert event.get_specversion() == "1.0"
        assert (event.get_subject(), event.get_source()) == (user, f"/{source}")
        assert event.get_datacontenttype() == "application/json"
        assert event.get_time() is not None
        if user == bob:
            frame = frames[event.get_id()]
            assert (event.get_type(), event.get_data()) == (frame["event"], frame["data"])
            seen.add(event.get_type())
    assert seen == EVENT_TYPES.keys()


async def test_every_message_is_published_once_and_under_an_id_of_its_own(
    system: System, people: People, subscription: Subscription
) -> None:
    """A partnership and an answer are two messages, one for each partner; the item's two are for one of them."""
    alice, bob = await people.partners()
    async with system.device(bob) as device:
        await system.answer(alice)
        await device.event("inbox:unread")
    await system.item(bob, LAST)
    ours = [
        message for message in await messages_until(subscription, LAST) if message.subject.split(".")[1] in (alice, bob)
    ]
    subjects = [(message.subject, read(message).get_type()) for message in ours[:-1]]
    assert sorted(subjects) == [
        (f"events.{alice}.connection", "connection_answer:created"),
        (f"events.{alice}.connection", "connection_partnership:created"),
        (f"events.{bob}.connection", "connection_answer:created"),
        (f"events.{bob}.connection", "connection_partnership:created"),
        (f"events.{bob}.inbox", "inbox:created"),
        (f"events.{bob}.inbox", "inbox:unread"),
    ]
    assert len({read(message).get_id() for message in ours}) == len(ours)
    assert all((message.headers or {})["Nats-Msg-Id"] == read(message).get_id() for message in ours)


async def test_somebody_who_publishes_to_the_live_subjects_reaches_no_device(system: System, people: People) -> None:
    """A message that is no event of ours is not shown to anybody."""
    bob = people.someone("bob")
    async with contextlib.AsyncExitStack() as stack:
        client = await nats.connect(system.nats, nkeys_seed=str(system.bus_keys.seed_file("admin")))
        stack.push_async_callback(client.close)
        device = await stack.enter_async_context(system.device(bob))
        await client.publish(f"push.{bob}.inbox", b'{"title":"forged"}')
        await settled(client)
        assert await system.heard(device) == [[]]
