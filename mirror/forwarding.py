"""Owns the way from the Redis stream to the bus: each note of the old system becomes an event, in order and once.

A note is removed from Redis when the bus has its event on disk. After a crash between the two it is published again,
under the same id, which the stream refuses for as long as its duplicate window lasts.
"""

import asyncio
import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Sequence

import structlog
from nats.js.errors import NotFoundError

from chassis.publisher import Message, Publisher
from chassis.streams import Stream
from contracts.cloudevents import Event
from contracts.events import EVENT_TYPES
from contracts.subjects import INBOX_CONSUMER, InvalidUserId, event_subject, user_id
from mirror.errors import BusInUse, RedisAway
from mirror.handover import FIELD, KEY, Sent, Unreadable, read
from mirror.redis import Entry, Redis

log = structlog.get_logger(__name__)

BATCH = 500
"""Notes of one read, and events of one atomic batch."""

AGAIN = 0.5
"""Seconds before something that is away is tried again."""

BEGINNING = "0-0"

Told = Callable[[str, int, Sent], None]
"""Is told of each note once, with the id of its event and the time of the note, in milliseconds by Redis's clock."""


class Forwarder:
    """Publishes what the old system sends.

    Attributes:
        published: how many events the stream has.
        left_out: what was not published, counted by the reason.
    """

    def __init__(
        self, stream: Stream, redis_url: str, *, prefix: str, told: Told = lambda _id, _noted, _sent: None
    ) -> None:
        """`prefix` is put before the id of each user: whoever has that id gets the frames."""
        self._stream = stream
        self._publisher = Publisher(stream)
        self._url = redis_url
        self._prefix = prefix
        self._told = told
        self._after = BEGINNING
        self.published = 0
        self.left_out: Counter[str] = Counter()

    async def run(self) -> None:
        """Publish for ever; Redis and NATS may go away meanwhile.

        Raises:
            BusInUse: the services work with this bus.
        """
        await self._stream.wait()
        await self._refuse_the_services_bus()
        while True:
            try:
                async with Redis.at(self._url) as redis:
                    while True:
                        await self._forward(redis)
            except RedisAway as error:
                log.warning("waiting for Redis", reason=str(error))
                await asyncio.sleep(AGAIN)

    async def _refuse_the_services_bus(self) -> None:
        try:
            await self._stream.bus.jetstream.consumer_info(self._stream.name, INBOX_CONSUMER)
        except NotFoundError:
            return
        raise BusInUse(
            f"inbox_service reads this bus ({INBOX_CONSUMER}), and would take mirrored answers for its own: give the "
            "mirror and its gateway a NATS server of their own"
        )

    async def _forward(self, redis: Redis) -> None:
        entries = await redis.read(KEY, after=self._after, count=BATCH)
        if not entries:
            return
        await self._publish([message for entry in entries if (message := self._message(entry)) is not None])
        self._after = entries[-1].id
        await redis.drop(KEY, [entry.id for entry in entries])

    def _message(self, entry: Entry) -> Message | None:
        try:
            sent = read(entry.fields.get(FIELD.encode(), b""))
        except Unreadable as error:
            self._leave_out("it is no note of mirror.layer", error)
            return None
        event_id = f"mirror-{entry.id}"
        self._told(event_id, entry.noted, sent)
        if sent.event not in EVENT_TYPES:
            self._leave_out(f"the contract has no event {sent.event}")
        elif not isinstance(sent.data, dict):
            self._leave_out(f"the data of {sent.event} are no object, of which no frame can be made")
        else:
            try:
                return self._event(event_id, entry, sent)
            except InvalidUserId as error:
                self._leave_out("its user's id cannot be one here", error)
        return None

    def _event(self, event_id: str, entry: Entry, sent: Sent) -> Message:
        to = user_id(f"{self._prefix}{sent.user}")
        at = dt.datetime.fromtimestamp(entry.noted / 1_000, dt.UTC)
        event = Event(event_id, sent.event, to, at, json.dumps(sent.data).encode())
        return Message(event.id, event_subject(to, EVENT_TYPES[sent.event].source), event.headers(), event.body)

    def _leave_out(self, reason: str, error: Exception | None = None) -> None:
        if reason not in self.left_out:
            log.warning("not published", reason=reason, error=repr(error) if error else None)
        self.left_out[reason] += 1

    async def _publish(self, messages: Sequence[Message]) -> None:
        """Until the stream has them all."""
        while messages:
            outcome = await self._publisher.publish(messages)
            self.published += len(outcome.sequences)
            messages = messages[len(outcome.sequences) :]
            if outcome.failure is not None:
                log.warning("waiting for NATS", reason=outcome.failure)
                await asyncio.sleep(AGAIN)
