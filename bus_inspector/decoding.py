"""Owns what is told of one stored message: what it says, and where it is not as the contract has it."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from bus_inspector.privacy import hidden, shown
from bus_inspector.reading import Stored
from contracts.cloudevents import REPUBLISHED, Event, InvalidEvent, read_event
from contracts.subjects import Source, UnknownSubject, UserId, addressee

MESSAGE_ID = "Nats-Msg-Id"

REQUEUED = "requeue:"
"""How the id of a message begins that `dead requeue` has stored: its event had another one the first time."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A stored message, read as far as it can be.

    Attributes:
        event: None if its headers are not those of an event.
        problems: where it is not as the contract has it; nothing if all is well.
        data: what the body says, hidden as far as was asked for; None if it is not JSON.
    """

    stored: Stored
    event: Event | None
    problems: tuple[str, ...]
    data: Any

    @property
    def id(self) -> str:
        """The event's id, or what stands in its place."""
        return self.stored.headers.get("ce-id", self.stored.headers.get(MESSAGE_ID, ""))

    @property
    def type(self) -> str:
        return self.stored.headers.get("ce-type", "")

    def record(self) -> dict[str, Any]:
        """It as JSON."""
        stored, event = self.stored, self.event
        record: dict[str, Any] = {
            "seq": stored.seq,
            "stored_at": stored.at.isoformat(),
            "subject": stored.subject,
            "type": self.type,
            "id": self.id,
            "user": event.user if event is not None else stored.headers.get("ce-subject"),
            "time": event.time.isoformat() if event is not None else stored.headers.get("ce-time"),
            "bytes": len(stored.body),
            "problems": list(self.problems),
            "data": self.data,
        }
        if REPUBLISHED in stored.headers:
            record["republished"] = True
        if event is not None and event.traceparent is not None:
            record["traceparent"] = event.traceparent
        return record


def decode(stored: Stored, *, reveal: bool) -> Decoded:
    """Read a message and check it against the contract."""
    problems: list[str] = []
    event: Event | None = None
    try:
        event = read_event(stored.headers, stored.body)
    except InvalidEvent as error:
        problems.append(str(error))
    else:
        problems += _misshapen(event)
    try:
        whose = addressee(stored.subject)
    except UnknownSubject as error:
        problems.append(f"unknown subject: {error}")
    else:
        problems += _misplaced(event, stored, *whose) if event is not None else ()
    try:
        data, safe = read_json(stored.body)
    except ValueError:
        return Decoded(stored, event, tuple(problems or ["the body is not JSON"]), None)
    if problems:  # where a thing is not what it should be, its name does not say what it is
        safe = hidden(data)
    return Decoded(stored, event, tuple(problems), data if reveal else safe)


def read_json(body: bytes) -> tuple[Any, Any]:
    """What a body says, and what may be shown of it.

    Raises:
        ValueError: it is not JSON, or too deeply nested. To the gateway it is the same: it reads with the same parser.
    """
    data = from_json(body)
    return data, shown(data)


def _misplaced(event: Event, stored: Stored, user: UserId, source: Source) -> list[str]:
    problems = []
    if event.user != user:
        problems.append(f"ce-subject is {event.user!r}, but it was published to {user!r}")
    if stored.headers["ce-source"] != f"/{source}":
        problems.append(f"ce-source is {stored.headers['ce-source']!r}, but it was published as {source!r}")
    message_id = stored.headers.get(MESSAGE_ID, "")
    if message_id != event.id and not message_id.startswith(REQUEUED):
        problems.append(f"{MESSAGE_ID} is {message_id!r}, not the ce-id: a second copy would not be refused")
    return problems


def _misshapen(event: Event) -> list[str]:
    """What is wrong with the data, without what it says."""
    try:
        event.data()
    except InvalidEvent as error:
        if not isinstance(error.__cause__, ValidationError):
            return [f"the data of {event.type} cannot be read"]
        mistakes = error.__cause__.errors(include_url=False, include_context=False, include_input=False)
        return [f"data.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in mistakes]
    return []
