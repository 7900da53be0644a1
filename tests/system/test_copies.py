"""A second copy of each service with a database, on the same databases: whichever is asked, everything comes once."""

import asyncio
import contextlib
import itertools

from tests.system.conftest import Parts, People
from tests.system.device import names

PAIRS = 6


async def test_answers_through_either_copy_arrive_once(parts: Parts) -> None:
    """Of two relays on a database one is active, and the consumer's work is shared; the writes come from both sides."""
    people = People(parts.system)
    pairs, stranger = [await people.partners() for _ in range(PAIRS)], people.someone("mallory")
    async with parts.second_copy() as copy, contextlib.AsyncExitStack() as stack:
        assert copy.connection != parts.system.connection
        devices = {
            user: await stack.enter_async_context(copy.device(user)) for user in itertools.chain(*pairs, [stranger])
        }
        await asyncio.gather(
            *(parts.system.answer(alice) for alice, _ in pairs),
            *(copy.answer(bob) for _, bob in pairs),
            *(system.item(alice, "a notice") for system in (parts.system, copy) for alice, _ in pairs),
        )
        for alice, bob in pairs:
            await devices[alice].event("inbox:created", sender_id=bob)
            await devices[bob].event("inbox:created", sender_id=alice)
            await devices[alice].event("inbox:unread", unread_count=3)
            await devices[bob].event("inbox:unread", unread_count=1)
        heard = dict(zip(devices, await copy.heard(*devices.values()), strict=True))
        for alice, bob in pairs:
            for user, items in ((alice, 3), (bob, 1)):
                assert names(heard[user]).count("connection_answer:created") == 2
                assert names(heard[user]).count("inbox:created") == items
        assert heard[stranger] == []


async def test_the_first_copy_goes_on_when_the_second_has_gone(parts: Parts) -> None:
    """Also if it was the second one whose relay was active."""
    people = People(parts.system)
    alice, bob = await people.partners()
    async with parts.system.device(bob) as device:
        async with parts.second_copy() as copy:
            await copy.item(bob, "through the second")
            await device.event("inbox:created", title="through the second")
        await parts.system.answer(alice)
        await device.event("inbox:created", sender_id=alice)
