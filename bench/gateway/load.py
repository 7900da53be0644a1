"""Owns filling the stream with events of the usual size, and knowing where they stand in it."""

import datetime as dt
import itertools
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chassis.bus import Bus
from chassis.publisher import BATCH_MAX, Message, Publisher
from chassis.streams import Stream
from contracts import streams
from contracts.cloudevents import Event
from contracts.subjects import UserId, event_subject

ITEM: Final = json.dumps(
    {
        "id": str(uuid.UUID(int=0)), "recipient_id": "somebody", "sender_id": None, "kind": "notice",
        "title": "A notice", "body": "What somebody wrote in some fifty or sixty letters.", "data": {},
        "is_read": False, "read_at": None, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    }
).encode()  # fmt: skip
"""An inbox item: some 300 bytes, and with its headers in the stream some 650."""

_AT: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Stored:
    """`events` of each of so many users in turn: the first event of all of them, then the second of all, and so on.

    So between two events of one user stands one of every other one: the stream as busy days leave it, and the worst
    order for reading one user alone.

    Attributes:
        first: where the first of all stands in the stream.
    """

    users: int
    events: int
    first: int

    def sequences(self, number: int) -> range:
        """Where the events of the user with that number stand."""
        start = self.first + number
        return range(start, start + self.events * self.users, self.users)


async def fill(bus: Bus, users: Sequence[UserId], *, events: int, body: bytes = ITEM) -> Stored:
    """Store `events` for each of `users`, as a relay does, in atomic batches.

    Raises:
        RuntimeError: the stream did not take them.
    """
    publisher = Publisher(Stream(bus, streams.EVENTS, replicas=1))
    messages = _messages(users, events, body)
    sequences: list[int] = []
    while batch := list(itertools.islice(messages, BATCH_MAX)):
        outcome = await publisher.publish(batch)
        if outcome.failure is not None:
            raise RuntimeError(outcome.failure)
        sequences += outcome.sequences[:1]
    return Stored(len(users), events, sequences[0])


def message(user: UserId, body: bytes) -> Message:
    """An event as the inbox service would publish it."""
    event = Event(uuid.uuid4().hex, "inbox:created", user, _AT, body)
    return Message(event.id, event_subject(user, "inbox"), event.headers(), body)


def _messages(users: Sequence[UserId], events: int, body: bytes) -> Iterator[Message]:
    for _ in range(events):
        for user in users:
            yield message(user, body)
