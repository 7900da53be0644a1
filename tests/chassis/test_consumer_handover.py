"""Who has a message: a consumer that works on it keeps it, and one that is stopped gives it back."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from nats.aio.msg import Msg

from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.streams import Stream
from contracts.streams import DEADLETTERS
from devstack.waiting import until
from tests.conftest import settled

DURABLE = "things-service"
COUNT = 20
BODIES = {f"{number}".encode() for number in range(COUNT)}


class Handler:
    """Takes its time: it handles nothing before it is told to."""

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self.handled: list[bytes] = []
        self.go_on = asyncio.Event()

    async def handle(self, messages: Sequence[Msg]) -> None:
        self.given += [message.data for message in messages]
        await self.go_on.wait()
        self.handled += [message.data for message in messages]


@contextlib.asynccontextmanager
async def consuming(things: Stream, handler: Handler, *, ack_wait: float) -> AsyncIterator[None]:
    """A consumer while the block runs."""

    async def ready() -> None:
        """There is no database."""

    dead = Stream(things.bus, DEADLETTERS, replicas=1)
    consumer = Consumer(
        things,
        durable=DURABLE,
        filter_subject="things.>",
        dead_letters=dead,
        dead_letter_subject=f"deadletters.{DURABLE}",
        handle=handler.handle,
        ready=ready,
        ack_wait=ack_wait,
    )
    task = asyncio.create_task(consumer.run())
    yield
    task.cancel()
    await asyncio.wait([task])


async def publish_all(things: Stream) -> None:
    for body in BODIES:
        await things.bus.jetstream.publish("things.alice.new", body)


async def all_delivered(things: Stream) -> bool:
    """Whether the server has given away everything, and it has arrived."""

    async def done() -> bool:
        info = await things.bus.jetstream.consumer_info(things.name, DURABLE)
        return bool(info.num_ack_pending == COUNT)

    delivered = await until(done, within=20)
    await settled(things.bus.client)
    return delivered


async def test_what_a_stopped_consumer_has_not_handled_goes_to_the_next_one_at_once(things: Stream) -> None:
    """Both what it works on and what waits behind that. If it did not give them back, this would take an hour."""
    first, second = Handler(), Handler()
    second.go_on.set()
    async with consuming(things, first, ack_wait=3600):
        await publish_all(things)
        assert await until(lambda: bool(first.given), within=20)
        assert await all_delivered(things)
    assert first.handled == []
    async with consuming(things, second, ack_wait=3600):
        assert await until(lambda: set(second.handled) == BODIES, within=20)
    assert len(second.handled) == COUNT


async def test_a_consumer_that_takes_its_time_holds_on_to_what_it_works_on(bus: Bus, things: Stream) -> None:
    """The server hears again and again that somebody is at it."""
    held: Counter[str] = Counter()

    async def hear(message: Msg) -> None:
        if message.data == b"+WPI":
            held[message.subject.split(".")[5]] += 1

    await bus.client.subscribe(f"$JS.ACK.{things.name}.{DURABLE}.>", cb=hear)
    handler = Handler()
    async with consuming(things, handler, ack_wait=0.3):
        await publish_all(things)
        assert await until(lambda: bool(held) and min(held.values()) >= 3, within=20)
        handler.go_on.set()
        assert await until(lambda: set(handler.handled) == BODIES, within=20)
