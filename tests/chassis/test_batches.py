"""Messages that are taken together."""

import asyncio

from chassis.batches import arrived
from chassis.bus import Bus
from devstack.waiting import until


async def test_who_is_cancelled_just_when_a_message_comes_is_cancelled(bus: Bus) -> None:
    """Python 3.11 forgets it, and whoever takes one message after the other would never end."""
    subscription = await bus.client.subscribe("news")
    taking = asyncio.create_task(arrived(subscription, silence=10))
    getters = subscription._pending_queue._getters  # type: ignore[attr-defined] # noqa: SLF001 - the moment is between
    assert await until(lambda: len(getters) == 1, within=10)  # its being put there and who waits
    getters[0].add_done_callback(lambda _: taking.cancel())
    await bus.client.publish("news")
    await asyncio.wait([taking])
    assert taking.cancelled()


async def test_all_that_is_there_is_taken_and_silence_is_nothing(bus: Bus) -> None:
    """In the order in which it came."""
    subscription = await bus.client.subscribe("news")
    for number in range(3):
        await bus.client.publish("news", b"%d" % number)
    assert await until(lambda: subscription.pending_msgs == 3, within=10)
    assert [message.data for message in await arrived(subscription, silence=10)] == [b"0", b"1", b"2"]
    assert await arrived(subscription, silence=0.01) == []
