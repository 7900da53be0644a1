"""Owns reading the whole stream from some place on, whoever its messages are for: once for many users.

By a consumer that acknowledges nothing and lives as long as the scan: that costs the server a quarter of what direct
gets cost it (decision 0010), and is one consumer for thousands of clients. It numbers what it sends, so nothing is lost
unnoticed.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import nats.errors
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from chassis.bus import REQUEST_TIMEOUT
from chassis.errors import BusUnavailable
from contracts.subjects import UserId
from push_gateway.direct import SILENCE
from push_gateway.messages import StoredEvent
from push_gateway.subscriber import Subscriber

PAGE = 256
PAGE_BYTES = 2 * 1024 * 1024
"""Messages and bytes that are asked for at once, any single message being smaller; and so much is read ahead."""

_ENDED = (b"Timeout", b"Batch Completed", b"Exceeds MaxBytes")
"""What the server says of a request that has ended as it must; whatever else it says, the consumer is of no use."""

FORGOTTEN = 30.0
"""Seconds after which the server forgets the consumer of a gateway that has died."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the stream.

    Attributes:
        events: what some users have in it, in order.
        messages: how many messages there are, those of other users included.
        through: where the last one stands.
        more: whether there were further ones behind it when it was sent.
    """

    events: list[tuple[UserId, StoredEvent]]
    messages: int
    through: int
    more: bool


class Scan:
    """`async with Scan(client, stream, users, after=seq) as scan` reads everything behind `seq`, page by page.

    It gives what is for one of `users`, whom it knows by their bytes in a subject.
    """

    def __init__(self, client: Subscriber, stream: str, users: Mapping[bytes, UserId], *, after: int) -> None:
        self._client = client
        self._stream = stream
        self._users = users
        self._after = self._through = after
        self._inbox = client.new_inbox()
        self._subscription: Subscription | None = None
        self._consumer = ""
        self._asked_for = 0
        self._numbered = self._given = 0
        self._pending = 0
        self._events: list[tuple[UserId, StoredEvent]] = []
        self._news = asyncio.Event()
        self._failure = ""

    async def __aenter__(self) -> Self:
        """Raises:
        BusUnavailable: the server did not make a consumer.
        """
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._after + 1,
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            num_replicas=1,
            inactive_threshold=FORGOTTEN,
        )
        try:
            self._subscription = await self._client.read_events(self._inbox, self._take, self._hear)
            info = await self._client.jetstream(timeout=REQUEST_TIMEOUT).add_consumer(self._stream, config)
        except (nats.errors.Error, APIError, TimeoutError) as error:
            await self._end()
            raise BusUnavailable(f"reading the stream: {error!r}") from error
        self._consumer, self._pending = info.name, info.num_pending or 0
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._end()

    async def page(self) -> Page:
        """The next page, as much as has arrived, while further ones are asked for.

        Raises:
            BusUnavailable: it did not come, or not all of it.
        """
        await asyncio.sleep(0)  # what is live comes between two pages, also where the next one is there already
        await self._ask()
        while self._pending and not self._arrived and not self._failure:
            self._news.clear()
            try:
                async with asyncio.timeout(SILENCE):
                    await self._news.wait()
            except TimeoutError:
                self._failure = "no answer"
            await self._ask()
        if self._failure:
            raise BusUnavailable(f"reading the stream: {self._failure}")
        page = Page(self._events, self._arrived, self._through, more=self._pending > 0)
        self._events, self._given = [], self._numbered
        await self._ask()
        return page

    async def _ask(self) -> None:
        """Ask for a page, unless there is one to be looked at and another one under way."""
        if self._asked_for > 0 or not self._pending or self._arrived >= PAGE:
            return
        request = {"batch": PAGE, "max_bytes": PAGE_BYTES, "expires": int(2 * SILENCE * 1e9)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
        self._asked_for = PAGE
        try:
            await self._client.publish(subject, json.dumps(request).encode(), reply=self._inbox)
        except nats.errors.Error as error:
            raise BusUnavailable(f"reading the stream: {error!r}") from error

    @property
    def _arrived(self) -> int:
        """Messages that have come and are not yet given."""
        return self._numbered - self._given

    def _take(self, event: StoredEvent, user: bytes, number: int, pending: int) -> None:
        """A message of the stream."""
        self._news.set()
        self._asked_for -= 1
        self._numbered += 1
        if number != self._numbered:
            self._failure = "a message was lost"
        self._through, self._pending = event.seq, pending
        if event.frame and (known := self._users.get(user)) is not None:
            self._events.append((known, event))

    def _hear(self, subject: bytes, reply: bytes, headers: bytes | None, body: bytes) -> None:  # noqa: ARG002
        """Something about the request, which then has ended."""
        self._news.set()
        self._asked_for = 0
        if not any(reason in (headers or b"") for reason in _ENDED):
            self._failure = f"the server says {headers!r}"

    async def _end(self) -> None:
        with contextlib.suppress(nats.errors.Error, APIError, TimeoutError):
            if self._subscription is not None:
                await self._client.give_up(self._subscription)
            if self._consumer and self._client.is_connected:
                await self._client.jetstream(timeout=REQUEST_TIMEOUT).delete_consumer(self._stream, self._consumer)
