"""Owns the form of a bus message: a CloudEvents 1.0 event in the NATS binding's binary mode.

The body is the JSON of the data; everything else stands in headers, so that a reader can route, deduplicate
and deliver without parsing the body.

Sources: CloudEvents 1.0.2; "NATS Protocol Binding for CloudEvents" 1.0.3-wip section 3.1 (1.0.2 knows no
binary mode); W3C Trace Context section 3.2; NATS ADR-4 (headers) and `Nats-Msg-Id` of JetStream's
deduplication. The content type stands in `content-type`, as the HTTP binding has it and the SDKs read it; the
NATS binding would have `ce-datacontenttype`, an optional attribute whose absence makes no event invalid.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from contracts.events import EVENT_ID_PATTERN, EVENT_TYPES, Contract, utc
from contracts.subjects import InvalidUserId, UserId, user_id

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"

REPUBLISHED = "ce-republished"
"""An extension attribute (CloudEvents 1.0.2 section 3.2) of `Event.republished`."""

_EVENT_ID = re.compile(EVENT_ID_PATTERN)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?")


class InvalidEvent(ValueError):
    """A bus message that is not an event of this contract; the text names the header or field."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it stands on the bus.

    Attributes:
        id: unique, of `EVENT_ID_PATTERN`; also the id by which the stream refuses a second copy.
        type: the event's name, a key of `EVENT_TYPES`.
        user: to whom it is addressed.
        time: when the change was made, aware; in UTC when read from the bus.
        body: the JSON of the data.
        traceparent: W3C trace context of the request that caused it, if there was one.
        republished: whether the stream held it before, or may have, and lost it. Whoever was connected then has been
            told to fetch the state anew; so the copy is for readers of the stream, and no frame.

    Raises:
        InvalidEvent: the id would need escaping, or the time has no zone.
    """

    id: str
    type: str
    user: UserId
    time: dt.datetime
    body: bytes
    traceparent: str | None = None
    republished: bool = False

    def __post_init__(self) -> None:
        if _EVENT_ID.fullmatch(self.id) is None:
            raise InvalidEvent(f"ce-id {self.id!r} is not of the form {EVENT_ID_PATTERN}")
        try:
            utc(self.time)
        except ValueError as error:
            raise InvalidEvent(f"ce-time: {error}") from error

    @classmethod
    def of(
        cls,
        name: str,
        data: Contract,
        *,
        id: str,  # noqa: A002
        user: UserId,
        time: dt.datetime,
        republished: bool = False,
    ) -> "Event":
        """Make the event `name` with `data`, which must be of the name's shape."""
        expected = EVENT_TYPES[name].data
        assert isinstance(data, expected), f"{name} carries a {expected.__name__}, not a {type(data).__name__}"
        return cls(id, name, user, time, data.model_dump_json().encode(), republished=republished)

    def headers(self) -> dict[str, str]:
        """The headers to publish it with."""
        headers = {
            "Nats-Msg-Id": self.id,
            "ce-specversion": SPEC_VERSION,
            "ce-id": self.id,
            "ce-source": f"/{EVENT_TYPES[self.type].source}",
            "ce-type": self.type,
            "ce-subject": self.user,
            "ce-time": utc(self.time).isoformat().replace("+00:00", "Z"),
            "content-type": CONTENT_TYPE,
        }
        if (trace := _trace(self.traceparent)) is not None:
            headers["traceparent"] = trace
        if self.republished:
            headers[REPUBLISHED] = "true"
        return headers

    def data(self) -> Contract:
        """The data, checked against the shape that belongs to the event's name.

        Raises:
            InvalidEvent: the body is not JSON or not of that shape.
        """
        try:
            return EVENT_TYPES[self.type].data.model_validate_json(self.body)
        except ValueError as error:
            raise InvalidEvent(f"the data of {self.type} {self.id}: {error}") from error


def read_event(headers: Mapping[str, str] | None, body: bytes) -> Event:
    """Read an event back from a message's headers and body. The body is not parsed; `Event.data` does that.

    Raises:
        InvalidEvent: a header is missing or is not what the contract says.
    """
    given = {name.lower(): value for name, value in (headers or {}).items()}

    def required(name: str) -> str:
        try:
            return unquote(given[name])
        except KeyError:
            raise InvalidEvent(f"the header {name} is missing") from None

    if (version := required("ce-specversion")) != SPEC_VERSION:
        raise InvalidEvent(f"ce-specversion is {version!r}; this reader knows {SPEC_VERSION}")
    kind = EVENT_TYPES.get(name := required("ce-type"))
    if kind is None:
        raise InvalidEvent(f"ce-type {name!r} is not one of {', '.join(EVENT_TYPES)}")
    if (source := required("ce-source")) != f"/{kind.source}":
        raise InvalidEvent(f"ce-source of {name} is {source!r}, not '/{kind.source}'")
    subject, moment = required("ce-subject"), required("ce-time")
    try:
        user = user_id(subject)
    except InvalidUserId as error:
        raise InvalidEvent(f"ce-subject: {error}") from error
    try:
        time = utc(dt.datetime.fromisoformat(moment))
    except ValueError as error:
        raise InvalidEvent(f"ce-time: {error}") from error
    trace, republished = _trace(given.get("traceparent")), given.get(REPUBLISHED) == "true"
    return Event(required("ce-id"), name, user, time, body, trace, republished)


def _trace(text: str | None) -> str | None:
    # A client may have written it, and the recommendation says to ignore what cannot be parsed: a bad trace
    # must never cost an event.
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None
