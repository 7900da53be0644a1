"""Owns taking live messages from nats-py without its queue and task a subscription and its header parsing.

Overrides two private methods of nats-py, `_process_msg` and `_read_loop`, and replaces its parser;
`tests/push_gateway/test_subscriber.py` fails when an upgrade changes what they are called with.
"""

import asyncio
from collections.abc import Callable

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport

from chassis.bus import ImpatientClient
from push_gateway.arrivals import Arrivals, ReadEvent, TakeEvent

Deliver = Callable[[bytes, bytes, bytes | None, bytes], None]
"""Takes subject, reply subject, raw headers and body of a message. It is called while the socket is read: it must not
block."""


class _Nowhere(asyncio.Queue[Msg]):
    """Where nats-py puts what was on its way to a subscription when that was given up."""

    def put_nowait(self, item: Msg) -> None:
        """Drop it."""


_NOWHERE = _Nowhere()


class Subscriber(ImpatientClient):
    """A client of NATS that hands the messages of some subscriptions over at once.

    Attributes:
        failed: gets the exception that whoever took a message raised; nothing is delivered on a broken assumption.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._deliver: dict[int, Deliver] = {}
        self._giving_up: set[asyncio.Task[None]] = set()
        self._ps = self._arrivals = Arrivals(self, self._fail)

    async def take(self, subject: str, deliver: Deliver) -> Subscription:
        """Subscribe, handing each message to `deliver`. End it with `give_up`."""
        subscription = await self._subscribed(subject)
        self._deliver[subscription._id] = deliver  # noqa: SLF001
        return subscription

    async def take_events(self, subject: str, take: TakeEvent) -> Subscription:
        """Subscribe to live events, handing each to `take`. End it with `give_up`."""
        subscription = await self._subscribed(subject)
        self._arrivals.takers[subscription._id] = take  # noqa: SLF001
        return subscription

    async def read_events(self, subject: str, read: ReadEvent, deliver: Deliver) -> Subscription:
        """Subscribe to what a consumer delivers, handing it to `read`, and what else it says to `deliver`. End it with
        `give_up`."""
        subscription = await self.take(subject, deliver)
        self._arrivals.readers[subscription._id] = read  # noqa: SLF001
        return subscription

    async def give_up(self, subscription: Subscription) -> None:
        """End a subscription made with one of these."""
        self._let_go(subscription)
        if not self.is_closed:
            await subscription.unsubscribe()

    def give_up_soon(self, subscription: Subscription) -> None:
        """The same, for who cannot wait for it: nothing is handed over from now on."""
        self._let_go(subscription)
        giving_up = asyncio.create_task(self.give_up(subscription), name=f"give up {subscription.subject}")
        self._giving_up.add(giving_up)
        giving_up.add_done_callback(self._giving_up.discard)

    def _let_go(self, subscription: Subscription) -> None:
        self._deliver.pop(subscription._id, None)  # noqa: SLF001
        self._arrivals.takers.pop(subscription._id, None)  # noqa: SLF001
        self._arrivals.readers.pop(subscription._id, None)  # noqa: SLF001

    async def _subscribed(self, subject: str) -> Subscription:
        """A subscription without a queue of its own, which is most of what one costs."""
        subscription: Subscription = await self.subscribe(subject)
        subscription._pending_queue = _NOWHERE  # noqa: SLF001
        subscription._message_iterator = None  # noqa: SLF001
        return subscription

    async def _read_loop(self) -> None:
        if isinstance(self._transport, TcpTransport):
            reader, writer = self._transport._io_reader, self._transport._io_writer  # noqa: SLF001
            assert reader is not None, "connected"
            assert writer is not None, "connected"
            self._arrivals.tap(reader, writer.transport)
        await super()._read_loop()

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        if self._arrivals.take(sid, subject, reply, headers, data):
            return
        deliver = self._deliver.get(sid)
        if deliver is None:
            await super()._process_msg(sid, subject, reply, data, headers)  # type: ignore[arg-type]
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        try:
            deliver(subject, reply, headers, data)
        except Exception as error:  # noqa: BLE001 - raised here it would silently end nats-py's reading task
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)
