"""An answer, from one partner's POST to every window of both."""

import asyncio
import contextlib

from tests.system.conftest import People
from tests.system.device import names
from tests.system.system import System


async def test_an_answer_reaches_every_device_of_both_partners_and_nobody_else(system: System, people: People) -> None:
    """All that follows from an answer, on two devices of either partner and on a stranger's."""
    alice, bob = await people.partners()
    async with contextlib.AsyncExitStack() as stack:
        users = (alice, alice, bob, bob, people.someone("mallory"))
        devices = [await stack.enter_async_context(system.device(user)) for user in users]
        *partners, stranger = devices
        answer = await system.answer(alice)
        for device in partners:
            created = await device.event("connection_answer:created")
            assert created["data"]["answer"] == answer
            assert created["data"]["connection"]["answers"] == [answer]
        for device in partners[2:]:
            item = (await device.event("inbox:created", sender_id=alice))["data"]
            assert (item["recipient_id"], item["kind"], item["is_read"]) == (bob, "connection_answer", False)
            assert (item["body"], item["data"]["answer_id"]) == (answer["text"], answer["id"])
            assert (await device.event("inbox:unread"))["data"] == {"unread_count": 1}
        heard = [names(frames) for frames in await system.heard(*devices)]
        of_alice, of_bob = ["connection_answer:created"], ["connection_answer:created", "inbox:created", "inbox:unread"]
        assert heard == [of_alice, of_alice, of_bob, of_bob, []], stranger.frames


async def test_both_devices_of_a_user_get_the_same_frames(system: System, people: People) -> None:
    """Not only the same events: the same bytes, sequence numbers and ids."""
    alice, bob = await people.partners()
    async with system.device(bob) as one, system.device(bob) as other:
        await system.answer(alice)
        for device in (one, other):
            await device.event("inbox:unread")
        first, second = await system.heard(one, other)
        assert first == second


async def test_what_a_device_is_told_is_what_the_lists_say(system: System, people: People) -> None:
    """Whoever fetches and whoever listens know the same."""
    alice, bob = await people.partners()
    async with system.device(bob) as device:
        await system.answer(alice)
        item = (await device.event("inbox:created"))["data"]
        day = (await device.event("connection_answer:created"))["data"]["connection"]
    assert await system.get(f"{system.inbox}/items", bob) == {"items": [item], "next_cursor": None, "unread_count": 1}
    assert await system.get(f"{system.connection}/daily-connections/today", bob) == day


async def test_the_partners_may_answer_at_the_same_moment(system: System, people: People) -> None:
    """Each gets the other's item, and none for an answer of their own."""
    alice, bob = await people.partners()
    async with system.device(alice) as hers, system.device(bob) as his:
        await asyncio.gather(system.answer(alice, "hers"), system.answer(bob, "his"))
        for device in (hers, his):
            await device.event("inbox:unread")
        for heard, other in zip(await system.heard(hers, his), ("his", "hers"), strict=True):
            assert names(heard).count("connection_answer:created") == 2
            assert [event["data"]["body"] for event in heard if event["event"] == "inbox:created"] == [other]


async def test_after_the_end_of_a_partnership_an_answer_is_refused_and_nobody_hears_of_it(
    system: System, people: People
) -> None:
    """The twin of the first test: no event of an answer without one."""
    alice, bob = await people.partners()
    today = await system.get(f"{system.connection}/daily-connections/today", alice)
    async with system.device(alice) as hers, system.device(bob) as his:
        (await system.ask("DELETE", f"{system.connection}/partnership", bob)).raise_for_status()
        url = f"{system.connection}/daily-connections/{today['id']}/answers"
        assert (await system.ask("POST", url, alice, body={"text": "Too late."})).status_code == 409
        for device in (hers, his):
            await device.event("connection_partnership:ended")
        assert [names(heard) for heard in await system.heard(hers, his)] == [["connection_partnership:ended"]] * 2


async def test_a_second_answer_is_refused_and_nobody_hears_of_it(system: System, people: People) -> None:
    """One answer, one event."""
    alice, bob = await people.partners()
    async with system.device(bob) as device:
        first = await system.answer(alice)
        await device.event("inbox:unread")
        url = f"{system.connection}/daily-connections/{first['connection_id']}/answers"
        second = await system.ask("POST", url, alice, body={"text": "Once more."})
        assert (second.status_code, second.json()["answer_id"]) == (409, first["id"])
        [heard] = await system.heard(device)
        assert names(heard) == ["connection_answer:created", "inbox:created", "inbox:unread"]
