"""Owns putting messages into a stream so that their order survives every failure.

Two plain publishes to one subject are never under way at once: were the first to fail and be sent again, it would
land behind the second. So a few messages go one after another, subject by subject, and many go as one atomic batch:
all or nothing, in order (NATS ADR-50).

Whoever publishes may have been replaced without knowing it. What its successor has published too the stream recognises
by its id; what only it would say, a count that is old by now, goes directly behind the message that it follows or not
at all.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import nats.errors
from nats.js.errors import APIError, NoStreamResponseError

from chassis.errors import BusUnavailable
from chassis.failpoints import Point, reached
from chassis.streams import Stream

PUBLISH_TIMEOUT = 2.0
"""Seconds for one acknowledgement. Shorter than the time after which a silent relay is replaced."""

BATCH_FROM = 8
"""From this many messages on an atomic batch is faster: it costs 2 ms at least, a plain publish 0.2 to 0.5 ms."""

BATCH_MAX = 1000
"""The server's limit on messages in one atomic batch."""


WRONG_LAST_SEQUENCE = 10071

NO_NEWER = "Nats-Expected-Last-Subject-Sequence"
"""The header with which the server refuses a message if the last one on its subject is another than is named."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to store.

    Attributes:
        id: made by us: the stream refuses a second message with it, whose ever it is.
        current: it says how things stand after the message before it on its subject. Where something newer stands
            there, it is not stored: whoever has published that says how things stand then.
    """

    id: str
    subject: str
    headers: Mapping[str, str]
    body: bytes
    current: bool = False

    @property
    def size(self) -> int:
        """Bytes on the wire, rounded up by what a batch and a trace add: the limit covers headers and body together."""
        return len(self.body) + sum(len(name) + len(value) + 4 for name, value in self.headers.items()) + 256


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of some messages.

    Attributes:
        sequences: where the first so many of them stand in the stream; for a `current` one that was not stored, where
            the one before it on its subject stands.
        failure: why it is not all of them. Of the others some may be stored too: to publish them again is safe.
    """

    sequences: Sequence[int]
    failure: str | None = None


class Publisher:
    """Stores messages in one stream."""

    def __init__(self, stream: Stream) -> None:
        self._bus = stream.bus
        self._stream = stream.name

    @property
    def max_bytes(self) -> int:
        """The largest message that the server takes, headers included."""
        return self._bus.client.max_payload

    async def publish(self, messages: Sequence[Message]) -> Outcome:
        """Store `messages` in order. One that is there already keeps its sequence."""
        stored: list[int] = []
        if not self._bus.connected:
            return Outcome(stored, "not connected to NATS")
        for part in _parts(messages):
            outcome = await (self._batch(part) if len(part) >= BATCH_FROM else self._one_by_one(part))
            stored += outcome.sequences
            if outcome.failure is not None:
                return Outcome(stored, outcome.failure)
        return Outcome(stored)

    async def _batch(self, messages: Sequence[Message]) -> Outcome:
        batch = messages[0].id
        try:
            for number, message in enumerate(messages[:-1], start=1):
                await self._bus.client.publish(
                    message.subject,
                    message.body,
                    headers={**message.headers, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)},
                )
            last = messages[-1]
            reply = await self._bus.client.request(
                last.subject,
                last.body,
                timeout=PUBLISH_TIMEOUT,
                headers={
                    **last.headers,
                    "Nats-Batch-Id": batch,
                    "Nats-Batch-Sequence": str(len(messages)),
                    "Nats-Batch-Commit": "1",
                },
            )
        except (nats.errors.Error, TimeoutError) as error:
            return Outcome((), repr(error))
        answer = json.loads(reply.data)
        if "error" in answer:
            # Its id may be used up by an earlier attempt of which only the answer was lost; then, and for whatever
            # else the server has against batches, each message is told apart by sending it alone.
            return await self._one_by_one(messages)
        reached(Point.PUBLISHED)
        end: int = answer["seq"]
        return Outcome(range(end - len(messages) + 1, end + 1))

    async def _one_by_one(self, messages: Sequence[Message]) -> Outcome:
        stored: list[int] = []
        lasts: dict[str, int] = {}
        for wave in _waves(messages):
            sending = (self._one(message, after=lasts.get(message.subject)) for message in wave)
            outcomes = await asyncio.gather(*sending, return_exceptions=True)
            for message, outcome in zip(wave, outcomes, strict=True):
                if isinstance(outcome, BusUnavailable):
                    return Outcome(stored, str(outcome))
                if isinstance(outcome, BaseException):
                    raise outcome
                stored.append(outcome)
                lasts[message.subject] = max(outcome, lasts.get(message.subject, 0))
        return Outcome(stored)

    async def _one(self, message: Message, *, after: int | None) -> int:
        """Store one message; `after` is where the one before it on its subject stands, if that is known."""
        if not self._bus.connected:  # nats-py would keep it and send it later, when another relay may be at work
            raise BusUnavailable("not connected to NATS")
        headers = dict(message.headers)
        if message.current and after is not None:
            headers[NO_NEWER] = str(after)
        try:
            ack = await self._bus.jetstream.publish(
                message.subject,
                message.body,
                timeout=PUBLISH_TIMEOUT,
                stream=self._stream,
                headers=headers,
            )
        except (nats.errors.Error, TimeoutError, APIError, NoStreamResponseError) as error:
            if after is not None and isinstance(error, APIError) and error.err_code == WRONG_LAST_SEQUENCE:
                return after
            raise BusUnavailable(repr(error)) from error
        reached(Point.PUBLISHED)
        return ack.seq


def _parts(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    for start in range(0, len(messages), BATCH_MAX):
        yield messages[start : start + BATCH_MAX]


def _waves(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Cut into runs in which no subject stands twice, so that a run may be under way at once."""
    wave: list[Message] = []
    subjects: set[str] = set()
    for message in messages:
        if message.subject in subjects:
            yield wave
            wave, subjects = [], set()
        wave.append(message)
        subjects.add(message.subject)
    if wave:
        yield wave
