"""A durable consumer: everything is handled, and what cannot be is kept; neither stops what is behind it."""

import asyncio
import datetime as dt
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from urllib.parse import unquote

import pytest
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import RawStreamMsg

from chassis.batches import arrived
from chassis.bus import Bus
from chassis.consumer import BATCH, Consumer, Undeliverable
from chassis.publisher import BATCH_FROM, Message, Publisher
from chassis.streams import Stream
from contracts.streams import Shape
from devstack.nats import Nats
from devstack.waiting import until

Stored = Callable[..., Awaitable[list[RawStreamMsg]]]

DURABLE = "things-service"
DELAYS = (0.01, 0.02, 0.03)
DAY = dt.timedelta(days=1)
DEAD = Shape("DEAD", ("dead.>",), max_age=DAY, duplicate_window=dt.timedelta(minutes=2))


class Handler:
    """Handles messages, unless told otherwise: `wrong` is asked about each of them for an error to raise.

    Attributes:
        batches: the bodies of each batch that was given to it.
        handled: the bodies of what it has handled, in order.
        deliveries: of each of them, how often it had been delivered.
    """

    def __init__(self) -> None:
        self.wrong: Callable[[bytes], Exception | None] = lambda _: None
        self.batches: list[list[bytes]] = []
        self.handled: list[bytes] = []
        self.deliveries: list[int] = []

    async def handle(self, messages: Sequence[Msg]) -> None:
        self.batches.append([message.data for message in messages])
        for message in messages:
            if (error := self.wrong(message.data)) is not None:
                raise error
        self.handled += [message.data for message in messages]
        self.deliveries += [message.metadata.num_delivered for message in messages]

    async def has(self, *bodies: bytes) -> bool:
        return await until(lambda: set(bodies) <= set(self.handled), within=20)


Consume = Callable[..., asyncio.Task[None]]


@pytest.fixture
def handler() -> Handler:
    """Has handled nothing."""
    return Handler()


@pytest.fixture
def dead(bus: Bus) -> Stream:
    """The dead letters."""
    return Stream(bus, DEAD, replicas=1)


@pytest.fixture
async def consume(things: Stream, dead: Stream) -> AsyncIterator[Consume]:
    """Starts a consumer of alice's things."""
    tasks = []

    async def ready() -> None:
        """There is no database."""

    def start(handler: Handler, delays: Sequence[float] = DELAYS) -> asyncio.Task[None]:
        consumer = Consumer(
            things,
            durable=DURABLE,
            filter_subject="things.alice.>",
            dead_letters=dead,
            dead_letter_subject=f"dead.{DURABLE}",
            handle=handler.handle,
            ready=ready,
            delays=delays,
        )
        tasks.append(asyncio.create_task(consumer.run()))
        return tasks[-1]

    yield start
    for task in tasks:
        assert not task.done(), "a consumer goes on whatever happens"
        task.cancel()
    await asyncio.wait(tasks)


_ids = itertools.count()


async def publish(stream: Stream, *bodies: bytes, to: str = "things.alice.new", **headers: str) -> None:
    """At once, if there are so many as an atomic batch."""
    messages = []
    for body in bodies:
        text = f"id-{next(_ids)}"
        messages.append(Message(text, to, {"Nats-Msg-Id": text, "ce-id": text, **headers}, body))
    assert (await Publisher(stream).publish(messages)).failure is None


def without_nats(message: RawStreamMsg) -> dict[str, str]:
    """The headers that are not about one stream's own business."""
    return {name: text for name, text in (message.headers or {}).items() if not name.startswith("Nats-")}


async def all_acknowledged(stream: Stream) -> bool:
    async def done() -> bool:
        info = await stream.bus.jetstream.consumer_info(stream.name, DURABLE)
        return bool(info.num_ack_pending == info.num_pending == 0)

    return await until(done, within=20)


def numbered(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


async def test_messages_are_handled_in_batches_in_order_and_acknowledged(
    things: Stream, consume: Consume, handler: Handler
) -> None:
    """Once each, and nobody else's."""
    await publish(things, *numbered(3 * BATCH))
    await publish(things, b"bobs", to="things.bob.new")
    await publish(things, b"last")
    consume(handler)
    assert await handler.has(b"last")
    assert handler.handled == [*numbered(3 * BATCH), b"last"]
    assert max(len(batch) for batch in handler.batches) > 1
    assert await all_acknowledged(things)


async def test_what_comes_while_it_waits_is_handled(things: Stream, consume: Consume, handler: Handler) -> None:
    """One after the other."""
    consume(handler)
    for body in numbered(3):
        await publish(things, body)
        assert await handler.has(body)
    assert handler.handled == numbered(3)


async def test_one_that_is_stopped_is_taken_over_where_it_stood(
    things: Stream, dead: Stream, consume: Consume, handler: Handler
) -> None:
    """What was acknowledged is not handled again."""
    await publish(things, b"first")
    consume(handler)
    assert await handler.has(b"first")
    assert await all_acknowledged(things)
    other = Handler()
    consume(other)
    await publish(things, *numbered(20))
    assert await until(lambda: len(handler.handled) + len(other.handled) >= 21, within=20)
    assert sorted(handler.handled + other.handled) == sorted([b"first", *numbered(20)])


async def test_a_message_that_failed_is_tried_again_while_what_is_behind_it_is_handled(
    things: Stream, consume: Consume, handler: Handler
) -> None:
    """Nothing of a batch that failed counts as done, and nothing of it is lost."""
    handler.wrong = lambda body: ValueError("not yet") if body == b"3" and len(handler.handled) < 19 else None
    await publish(things, *numbered(20))
    consume(handler, delays=[0.01] * 1000)
    assert await handler.has(*numbered(20))
    assert handler.handled == [*numbered(3), *numbered(20)[4:], b"3"]
    assert await all_acknowledged(things)


async def test_the_delays_grow_with_each_attempt(
    bus: Bus, things: Stream, dead: Stream, consume: Consume, handler: Handler, stored: Stored
) -> None:
    """The server is asked for them; after the last one the message goes to the dead letters."""
    asked: list[bytes] = []

    async def hear(message: Msg) -> None:
        asked.append(message.data)

    await bus.client.subscribe(f"$JS.ACK.{things.name}.{DURABLE}.>", cb=hear)
    handler.wrong = lambda _: ValueError("never")
    await publish(things, b"poison")
    consume(handler)
    assert await until(lambda: b"" in asked, within=20)
    assert asked == [*(b'-NAK {"delay": %d}' % (delay * 1e9) for delay in DELAYS), b""]
    assert len(handler.batches) == len(DELAYS) + 1
    assert [letter.data for letter in await stored(dead)] == [b"poison"]


@pytest.mark.parametrize("count", [2, BATCH_FROM])
async def test_a_poisonous_message_goes_to_the_dead_letters_as_it_was(
    things: Stream, dead: Stream, consume: Consume, handler: Handler, stored: Stored, count: int
) -> None:
    """With its headers, why it is there and where it came from, also if it came in an atomic batch; at once if it
    cannot get better, and what is behind it is handled."""
    await publish(things, b"poison", *numbered(count), **{"ce-type": "thing:created", "traceparent": "00-a-b-01"})
    handler.wrong = lambda body: Undeliverable("no: \u2603\n100 %") if body == b"poison" else None
    consume(handler)
    assert await handler.has(*numbered(count))
    assert await all_acknowledged(things)
    (original, *_), (letter,) = await stored(things), await stored(dead)
    assert (letter.subject, letter.data) == (f"dead.{DURABLE}", b"poison")
    headers = without_nats(letter)
    reason = headers.pop("Dead-Letter-Reason")
    assert (reason.isascii(), unquote(reason)) == (True, "Undeliverable: no: \u2603\n100 %")
    assert headers.pop("Dead-Letter-Subject") == "things.alice.new"
    assert headers.pop("Dead-Letter-Sequence") == "1"
    assert headers == without_nats(original)
    assert headers["ce-type"] == "thing:created"


async def test_an_error_that_no_header_can_carry_does_not_keep_a_message_from_the_dead_letters(
    things: Stream, dead: Stream, consume: Consume, handler: Handler, stored: Stored
) -> None:
    """Half of a surrogate pair, line ends, and more than anybody reads."""
    handler.wrong = lambda body: Undeliverable("\ud800\r\n" * 9999) if body == b"poison" else None
    await publish(things, b"poison", b"good")
    consume(handler)
    assert await handler.has(b"good")
    assert await all_acknowledged(things)
    assert [letter.data for letter in await stored(dead)] == [b"poison"]


async def test_while_the_database_is_away_nothing_is_counted_against_any_message(
    bus: Bus,
    things: Stream,
    dead: Stream,
    consume: Consume,
    handler: Handler,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither those that are being handled nor those that wait behind them: the server is told to be patient."""

    async def all_arrived(subscription: Subscription, *, silence: float) -> list[Msg]:
        monkeypatch.setattr("chassis.consumer.arrived", arrived)
        assert await until(lambda: subscription.pending_msgs == 10, within=20)
        return await arrived(subscription, silence=silence)

    monkeypatch.setattr("chassis.consumer.arrived", all_arrived)  # they may come in two pieces
    patience: set[str] = set()

    async def hear(message: Msg) -> None:
        if message.data == b"+WPI":
            patience.add(message.subject.split(".")[5])

    await bus.client.subscribe(f"$JS.ACK.{things.name}.{DURABLE}.>", cb=hear)
    failures = iter([ValueError("for the batch"), ValueError("for itself")])
    away = True

    def wrong(body: bytes) -> Exception | None:
        if body == b"0" and (failure := next(failures, None)) is not None:
            return failure
        return ConnectionRefusedError("the database") if away else None

    handler.wrong = wrong
    await publish(things, *numbered(10))
    consume(handler)
    assert await until(lambda: len(patience) == 9, within=20)
    assert handler.handled == []
    away = False
    assert await handler.has(*numbered(10))
    assert sorted(handler.handled) == numbered(10)
    assert handler.deliveries == [1] * 9 + [2]
    assert await stored(dead) == []


async def test_it_goes_on_when_nats_was_away(
    nats: Nats, bus: Bus, things: Stream, consume: Consume, handler: Handler
) -> None:
    """What was published before and after is handled."""
    consume(handler)
    await publish(things, b"before")
    assert await handler.has(b"before")
    await nats.kill()
    assert await until(lambda: not bus.connected, within=10)
    await nats.start()
    assert await until(lambda: bus.connected, within=10)
    await publish(things, b"after")
    assert await handler.has(b"after")


async def test_a_consumer_that_was_deleted_is_made_again(
    bus: Bus, things: Stream, consume: Consume, handler: Handler
) -> None:
    """It begins at the first message that the stream has, and the handler has to know what it knows."""
    consume(handler)
    await publish(things, b"before")
    assert await handler.has(b"before")
    await bus.jetstream.delete_consumer(things.name, DURABLE)
    await publish(things, b"after")
    assert await handler.has(b"after")
    assert await all_acknowledged(things)


async def test_a_stream_that_was_deleted_is_made_again(
    bus: Bus, things: Stream, dead: Stream, consume: Consume, handler: Handler, stored: Stored
) -> None:
    """It counts from 1 again, and a second dead letter with the same number is not taken for the first."""
    handler.wrong = lambda body: Undeliverable("no") if body.startswith(b"poison") else None
    consume(handler)
    await publish(things, b"poison before", b"before")
    assert await handler.has(b"before")
    await bus.jetstream.delete_stream(things.name)

    async def is_back() -> bool:
        return await things.info() is not None

    assert await until(is_back, within=20)
    await publish(things, b"poison after", b"after")
    assert await handler.has(b"after")
    assert await all_acknowledged(things)
    letters = await stored(dead)
    assert [letter.data for letter in letters] == [b"poison before", b"poison after"]
    assert {(letter.headers or {})["Dead-Letter-Sequence"] for letter in letters} == {"1"}
