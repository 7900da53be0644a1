"""Owns reading the raw headers of a bus message, and turning a stored event into its frame.

This runs once for every event and feed, so it looks for the few headers it needs and leaves the others alone.
"""

import functools
import re
from typing import NamedTuple

from pydantic_core import SchemaValidator, core_schema, from_json

from contracts import frames
from contracts.cloudevents import REPUBLISHED
from push_gateway.wire import text_frame

_VERSION = b"NATS/1.0"
_PLAIN = b"NATS/1.0\r\n"
_QUOTABLE = re.compile(rb"[ !#-\[\]-~]*")
"""What can stand between quotation marks in JSON as it is: printable ASCII but for the quotation mark and `\\`."""

_REPUBLISHED = REPUBLISHED.encode()

read_object = SchemaValidator(core_schema.typed_dict_schema({}, extra_behavior="ignore")).validate_json
"""Reads a JSON object and makes nothing of it: half a microsecond for an inbox item, a sixth of what `json` takes."""

SEQUENCE_DIGITS = 20
"""Digits of a sequence at most: it has 64 bits."""


class Malformed(ValueError):
    """The message does not look like an event: something other than our relays has published it."""


class StoredEvent(NamedTuple):
    """One event as it stands in the stream.

    Attributes:
        source: the last token of its subject; each source has a sequence of its own.
        seq: where it stands in the stream.
        previous: the sequence of the message before it on the same subject, as a live message tells; None if it was
            read from the stream, which says nothing of the kind.
        frame: what the client is sent, as it goes over the wire; empty for one that is published again because the
            stream had lost it: clients have been told to fetch their state since.
        headers: as they came; empty where many events are held at once, and nobody asks how late each is.
    """

    source: bytes
    seq: int
    previous: int | None
    frame: bytes
    headers: bytes = b""


def header(headers: bytes, name: bytes) -> bytes | None:
    """The value of a header, or None. Names are matched to the letter, as our relays and the server write them."""
    line = _beginning_of(name)
    start = headers.find(line)
    if start < 0:
        return None
    end = headers.find(b"\r\n", start + 2)  # the server takes over a block that breaks off from whoever publishes it
    return headers[start + len(line) : end if end >= 0 else None].strip()


@functools.cache
def _beginning_of(name: bytes) -> bytes:
    """Of the line of a header. There are some ten names."""
    return b"\r\n%b:" % name


def status(headers: bytes) -> int | None:
    """The status in the first line of the headers; None if the message carries an event."""
    if headers.startswith(_PLAIN):
        return None
    code = headers.partition(b"\r\n")[0][len(_VERSION) :].split()[:1]
    return int(code[0]) if code and code[0].isdigit() else None


def live_event(subject: bytes, headers: bytes | None, body: bytes) -> StoredEvent:
    """The event in a republished message.

    Raises:
        Malformed: it has no readable sequence, predecessor, type or id, or its body is no JSON object.
    """
    if headers is None:
        raise Malformed("it has no headers")
    seq, previous = _number(headers, b"Nats-Sequence"), _number(headers, b"Nats-Last-Sequence")
    return StoredEvent(subject[subject.rindex(b".") + 1 :], seq, previous, _frame(headers, seq, body), headers)


def read_event(headers: bytes, body: bytes) -> StoredEvent:
    """The event in an answer of a direct get.

    Raises:
        Malformed: it has no readable subject, sequence, type or id, or its body is no JSON object.
    """
    subject, seq = header(headers, b"Nats-Subject") or b"", _number(headers, b"Nats-Sequence")
    return stored_event(subject, seq, headers, body)._replace(headers=headers)


def stored_event(subject: bytes, seq: int, headers: bytes, body: bytes) -> StoredEvent:
    """The event in a message that stands in the stream under `subject` and `seq`.

    Raises:
        Malformed: it has no readable type or id, or its body is no JSON object.
    """
    return StoredEvent(subject[subject.rfind(b".") + 1 :], seq, None, _frame(headers, seq, body))


def _number(headers: bytes, name: bytes) -> int:
    value = header(headers, name)
    if value is None or not value.isdigit() or len(value) > SEQUENCE_DIGITS:
        raise Malformed(f"the header {name.decode()} is {value!r}, not a number")
    return int(value)


def _frame(headers: bytes, seq: int, body: bytes) -> bytes:
    name, event_id = header(headers, b"ce-type"), header(headers, b"ce-id")
    if name is None or event_id is None or not (_QUOTABLE.fullmatch(name) and _QUOTABLE.fullmatch(event_id)):
        raise Malformed(f"it has ce-type {name!r} and ce-id {event_id!r}")
    if header(headers, _REPUBLISHED) is not None:
        return b""
    try:
        read_object(body)
        # That lets pass what is no JSON (RFC 8259) unless it stands in a text. To look for one letter first is quicker.
        if (b"N" in body and b"NaN" in body) or (b"I" in body and b"Infinity" in body):
            from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError as error:  # a client would break off, or never get past it, and again each time that it resumes
        raise Malformed(f"its body is not a JSON object: {error}") from error
    return text_frame(frames.event(name, b"%d" % seq, event_id, body))
