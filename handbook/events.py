"""Owns the page `reference/events.md`: the AsyncAPI document, for people."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from contracts.events import EVENT_TYPES
from handbook.shapes import example, fields, head, name_of, row

Document = Mapping[str, Any]

INTRODUCTION = """\
# Event reference

Made from `contracts/` by `make schemas`. For programs there is the AsyncAPI document `contracts/schemas/asyncapi.json`,
and beside it a JSON Schema for each shape. What is on the bus is an *event*, what is on the socket a *frame*. Contracts
only grow: a new field may be missing, a new meaning is a new name. Ignore fields and names that you do not know.

## Where things are said
"""

FRAMES = """
## Frames

What the gateway sends, as text messages of JSON. `seq` is where the client now stands: its next `since`. An event
frame's `data` is that of the event. The only thing that a client sends is `auth`, before its token expires.
"""

SHAPES = """
## Headers of a message

| shape | |
|---|---|
| [EventHeaders](#eventheaders) | each event, as a CloudEvent in binary mode |
| [RepublishHeaders](#republishheaders) | also each live copy |
| [DeadLetterHeaders](#deadletterheaders) | also each dead letter |

## Shapes"""

CLOSE_CODES = """
## Close codes
"""

OWN_FRAMES = {"hello": "HelloFrame", "heartbeat": "HeartbeatFrame", "resync": "ResyncFrame", "auth": "AuthOperation"}
"""What is on the socket and no event: its name, and its shape."""


def page(document: Document) -> str:
    """The whole page."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    schemas = document["components"]["schemas"]
    yield INTRODUCTION
    yield from _channels(document["channels"])
    yield from ("", "## Events", "")
    yield from head("event", "from", "when", "data")
    for kind in EVENT_TYPES.values():
        shape = kind.data.__name__
        yield row(f"`{kind.name}`", kind.source, kind.summary, f"[{shape}](#{shape.lower()})")
    yield FRAMES
    for name, shape in {**OWN_FRAMES, **_event_frames(document)}.items():
        yield from (f"### `{name}`", "", schemas[shape]["description"], "")
        yield from ("```json", json.dumps(example(schemas[shape], schemas), indent=2), "```", "")
        if name in OWN_FRAMES:
            yield from (*fields(schemas[shape]), "")
    yield from _close_codes(document["channels"]["socket"]["x-close-codes"])
    yield SHAPES
    for name in sorted(set(schemas) - set(OWN_FRAMES.values()) - set(_event_frames(document).values())):
        yield from ("", f"### {name}", "", schemas[name].get("description", ""), "", *fields(schemas[name]))


def _event_frames(document: Document) -> dict[str, str]:
    """The shape of each event's frame."""
    messages = document["components"]["messages"].items()
    frames = {each["name"]: name_of(each["payload"]["$ref"]) for key, each in messages if key.startswith("frame.")}
    return {name: frames[name] for name in EVENT_TYPES}


def _channels(channels: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield from head("address", "", "stream")
    for channel in channels.values():
        stream = channel.get("x-stream")
        kept = f"`{stream['name']}`, {stream['max_age_seconds'] // 86_400} days" if stream else ""
        yield row(f"`{channel['address']}`", channel["description"], kept)
    yield from ("", "The socket's address takes these, to resume:", "")
    query = channels["socket"]["bindings"]["ws"]["query"]
    yield from fields(query)


def _close_codes(codes: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    yield CLOSE_CODES.lstrip("\n")
    yield from head("code", "name", "what to do")
    yield from (row(code, f"`{each['name']}`", each["advice"]) for code, each in codes.items())
