"""Owns reading a user's events from the stream: batched direct gets, which leave no state at the server (ADR-31)."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import nats.errors
import structlog
from nats.aio.subscription import Subscription

from chassis.errors import BusUnavailable
from contracts.subjects import UserId, user_filter
from push_gateway.messages import Malformed, StoredEvent, header, read_event, status
from push_gateway.subscriber import Subscriber

log = structlog.get_logger(__name__)

BATCH = 256
BATCH_BYTES = 256 * 1024
"""Events and bytes of one read: what a replay holds in memory at a time."""

TIMEOUT = 2.0
"""Seconds for one batch, which takes a millisecond or two; longer than that means that its answers were lost."""

AT_ONCE = 32
"""Reads under way at the same time. Thousands of sockets that come back together wait their turn here, so that
neither the stream nor the live messages are held up by them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of the stream: `events` are all that the user has in it up to `through`; `more` if that was not all."""

    events: Sequence[StoredEvent]
    through: int
    more: bool


@dataclass(slots=True)
class _Collector:
    """The answers to one request, as they come in."""

    after: int
    done: asyncio.Future[Batch]
    events: list[StoredEvent] = field(default_factory=list)
    last: int = 0

    def add(self, headers: bytes, body: bytes) -> None:
        code = status(headers)
        if code is None:
            self._add_event(headers, body)
        elif code == 204:
            self._end(headers)
        elif code == 404:
            self._finish(Batch((), self.after, more=False))
        else:
            self._fail(f"the stream answered with status {code}")

    def _add_event(self, headers: bytes, body: bytes) -> None:
        if int(header(headers, b"Nats-Last-Sequence") or 0) != self.last:
            self._fail("an answer was lost")
            return
        self.last = int(header(headers, b"Nats-Sequence") or 0)
        try:
            self.events.append(read_event(headers, body))
        except Malformed as error:
            log.warning("a stored message is not an event", sequence=self.last, reason=str(error))

    def _end(self, headers: bytes) -> None:
        if int(header(headers, b"Nats-Last-Sequence") or 0) != self.last:
            self._fail("the last answer was lost")
            return
        more = int(header(headers, b"Nats-Num-Pending") or 0) > 0
        self._finish(Batch(self.events, max(self.last, self.after), more))

    def _finish(self, batch: Batch) -> None:
        if not self.done.done():
            self.done.set_result(batch)

    def _fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(BusUnavailable(reason))


class Reader:
    """Reads from one stream."""

    def __init__(self, client: Subscriber, stream: str) -> None:
        self._client = client
        self._subject = f"$JS.API.DIRECT.GET.{stream}"
        self._inbox = ""
        self._numbers = itertools.count()
        self._collectors: dict[bytes, _Collector] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Subscribe to the answers; once, after the first connection."""
        self._inbox = self._client.new_inbox()
        self._subscription = await self._client.take(f"{self._inbox}.*", self._answered)

    async def read(self, user: UserId, *, after: int) -> Batch:
        """The events of `user` behind sequence `after`, at most a batch.

        The replica that answers may lag behind: `more` being false says that it has no more, not that there is none.

        Raises:
            BusUnavailable: the answer did not come, or not all of it.
        """
        number = b"%d" % next(self._numbers)
        collector = _Collector(after, asyncio.get_running_loop().create_future())
        request = {
            "batch": BATCH,
            "max_bytes": BATCH_BYTES,
            "seq": after + 1,
            "next_by_subj": user_filter(user),
        }
        async with self._turns:
            self._collectors[number] = collector
            try:
                await self._client.publish(
                    self._subject, json.dumps(request).encode(), reply=f"{self._inbox}.{number.decode()}"
                )
                async with asyncio.timeout(TIMEOUT):
                    return await collector.done
            except (nats.errors.Error, TimeoutError) as error:
                raise BusUnavailable(f"reading from the stream: {error!r}") from error
            finally:
                del self._collectors[number]

    def _answered(self, subject: bytes, headers: bytes | None, body: bytes) -> None:
        collector = self._collectors.get(subject[subject.rindex(b".") + 1 :])
        if collector is not None and headers is not None:
            collector.add(headers, body)
