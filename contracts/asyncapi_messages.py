"""Owns the messages of the AsyncAPI document: what stands in the headers and in the body of each."""

from contracts.cloudevents import CONTENT_TYPE, REPUBLISHED, SPEC_VERSION
from contracts.documents import Json, event_frame
from contracts.events import EVENT_ID_PATTERN, EVENT_TYPES, EventType
from contracts.subjects import SOURCES, USER_ID_PATTERN

SERVER_FRAMES = {"hello": "HelloFrame", "heartbeat": "HeartbeatFrame", "resync": "ResyncFrame"}


def message_key(name: str) -> str:
    """An event's name as a key of the document, where `:` is not allowed."""
    return name.replace(":", ".")


def ref(*path: str) -> Json:
    """A reference to a part of the same document."""
    return {"$ref": "#/" + "/".join(path)}


def messages() -> Json:
    """Every message by its key: an event's name, on the push subjects `push.` and it, on the socket `frame.`."""
    found: Json = {}
    for kind in EVENT_TYPES.values():
        key, payload = message_key(kind.name), _schema(kind.data.__name__)
        about = {"name": kind.name, "summary": kind.summary, "contentType": CONTENT_TYPE}
        found[key] = about | {"headers": _headers(kind, "EventHeaders"), "payload": payload}
        copied = _headers(kind, "EventHeaders", "RepublishHeaders")
        found[f"push.{key}"] = about | {"headers": copied, "payload": payload}
        found[f"frame.{key}"] = about | {"payload": _schema(event_frame(kind).__name__)}
    for name, frame in SERVER_FRAMES.items():
        found[f"frame.{name}"] = {"name": name, "contentType": CONTENT_TYPE, "payload": _schema(frame)}
    return found | {
        "operation.auth": {"name": "auth", "contentType": CONTENT_TYPE, "payload": _schema("AuthOperation")},
        "deadletter": {
            "name": "deadletter",
            "summary": "The original headers and body, and in further headers why it was given up.",
            "contentType": "application/octet-stream",
            "headers": _schema("DeadLetterHeaders"),
            "payload": _schema("DeadLetterBody"),
        },
        "revocation": {
            "name": "revocation",
            "summary": "Tokens of a user that were issued before a moment are good no longer.",
            "contentType": CONTENT_TYPE,
            "payload": _schema("Revocation"),
        },
    }


def _schema(name: str) -> Json:
    return ref("components", "schemas", name)


def _headers(kind: EventType, *schemas: str) -> Json:
    of_this_kind = {"ce-source": {"const": f"/{kind.source}"}, "ce-type": {"const": kind.name}}
    return {"type": "object", "allOf": [*map(_schema, schemas), {"properties": of_this_kind}]}


def header_schemas() -> Json:
    """What is said on the bus beside the data of events: headers, and the body of a dead letter."""
    event_id = {"type": "string", "pattern": EVENT_ID_PATTERN}
    sequence = {"type": "string", "pattern": "^[0-9]+$"}
    required: Json = {
        "Nats-Msg-Id": event_id | {"description": "the ce-id, by which the stream refuses a second copy"},
        "ce-specversion": {"const": SPEC_VERSION},
        "ce-id": event_id,
        "ce-source": {"enum": [f"/{source}" for source in SOURCES]},
        "ce-type": {"enum": list(EVENT_TYPES)},
        "ce-subject": {"type": "string", "pattern": USER_ID_PATTERN},
        "ce-time": {"type": "string", "format": "date-time"},
        "content-type": {"const": CONTENT_TYPE},
    }
    return {
        "EventHeaders": {
            "type": "object",
            "description": "A CloudEvents 1.0 event in binary mode.",
            "required": list(required),
            "properties": required
            | {
                "traceparent": {"type": "string", "description": "W3C Trace Context"},
                REPUBLISHED: {"const": "true", "description": "a copy of what the stream may have lost; no frame"},
            },
        },
        "RepublishHeaders": {
            "type": "object",
            "description": "What the server adds to a live copy.",
            "required": ["Nats-Sequence", "Nats-Last-Sequence"],
            "properties": {
                "Nats-Sequence": sequence | {"description": "the event's position in the stream"},
                "Nats-Last-Sequence": sequence
                | {"description": "the position of the event before it on the very same subject, or 0"},
            },
        },
        "DeadLetterHeaders": {
            "type": "object",
            "description": "What the consumer adds to the original headers, whatever those are.",
            "required": ["Dead-Letter-Reason", "Dead-Letter-Subject", "Dead-Letter-Sequence"],
            "properties": {
                "Dead-Letter-Reason": {"type": "string", "description": "percent-encoded text"},
                "Dead-Letter-Subject": {"type": "string", "description": "where the message came from"},
                "Dead-Letter-Sequence": sequence | {"description": "its position in the stream there"},
            },
        },
        "DeadLetterBody": {"description": "The body as it came: perhaps JSON, perhaps the reason it is here."},
    }
