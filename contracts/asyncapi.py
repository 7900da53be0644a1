"""Owns the AsyncAPI 3.0.0 document: who says what to whom, on the bus and on the socket.

Names come from the other modules of this package; only prose and structure are written here. The document has
several applications in it, so an operation's name begins with whose it is, and its action is seen from there.
"""

from contracts import streams, subjects
from contracts.asyncapi_messages import SERVER_FRAMES, header_schemas, message_key, messages, ref
from contracts.cloudevents import CONTENT_TYPE
from contracts.documents import Json, component_schemas
from contracts.events import EVENT_TYPES
from contracts.frames import BEARER_PREFIX, CLOSE_ADVICE, PATH, SUBPROTOCOL
from contracts.subjects import USER_ID_PATTERN

VERSION = "1.0.0"
"""Of the contract, not of the software; its first number is the one in `/v1/push` and `tandem.v1`."""

_BUS_BINDING = {"nats": {"bindingVersion": "0.1.0"}}
"""All that the NATS binding can say is a queue group, and nobody here subscribes in one."""


def asyncapi() -> Json:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tandem",
            "version": VERSION,
            "description": "A real-time inbox for people connected in pairs: events on the bus, frames on "
            "the socket. Contracts only grow: a new field is optional, a new meaning is a new event name, "
            "and unknown fields are ignored.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": _servers(),
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": messages(),
            "schemas": component_schemas() | header_schemas(),
            "securitySchemes": {"token": _token()},
        },
    }


def _keys(*sources: subjects.Source) -> list[str]:
    return [message_key(kind.name) for kind in EVENT_TYPES.values() if kind.source in sources]


def _servers() -> Json:
    return {
        "bus": {
            "host": "127.0.0.1:4222",
            "protocol": "nats",
            "description": "NATS with JetStream; this is its address in development.",
        },
        "push": {
            "host": "127.0.0.1:8003",
            "protocol": "ws",
            "description": "push_gateway; this is its address in development. Production speaks wss.",
            "security": [ref("components", "securitySchemes", "token")],
        },
    }


def _token() -> Json:
    return {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "In the Authorization header or, because a browser cannot set one, as the subprotocol "
        f"`{BEARER_PREFIX}<jwt>` offered after `{SUBPROTOCOL}`. Never in the URL, where it ends up in logs.",
    }


def _channels() -> Json:
    user_id = {
        "description": f"Whom the event is addressed to; matches `{USER_ID_PATTERN}`.",
        "examples": ["alice"],
        "location": "$message.header#/ce-subject",
    }
    source = {"description": "The service that the event comes from.", "enum": list(subjects.SOURCES)}
    keys = _keys(*subjects.SOURCES)
    bus = [ref("servers", "bus")]
    return {
        "events": {
            "address": subjects.EVENT_ADDRESS,
            "description": "Every event, stored in order, as a CloudEvent in binary mode.",
            "servers": bus,
            "parameters": {"user_id": user_id, "source": source},
            "messages": {key: ref("components", "messages", key) for key in keys},
            "x-stream": _stream(streams.EVENTS),
        },
        "push": {
            "address": subjects.PUSH_ADDRESS,
            "description": "The stream's live copy of every event, published once it is stored. Core NATS: a "
            "copy may be lost on the way, and then its successor's Nats-Last-Sequence shows the gap.",
            "servers": bus,
            "parameters": {"user_id": user_id, "source": source},
            "messages": {key: ref("components", "messages", f"push.{key}") for key in keys},
        },
        "deadletters": {
            "address": subjects.DEADLETTER_ADDRESS,
            "description": "What a consumer could not process, kept long enough for somebody to look.",
            "servers": bus,
            "parameters": {
                "consumer": {
                    "description": "The durable consumer that gave up.",
                    "examples": [subjects.INBOX_CONSUMER],
                }
            },
            "messages": {"deadletter": ref("components", "messages", "deadletter")},
            "x-stream": _stream(streams.DEADLETTERS),
        },
        "revocations": {
            "address": subjects.REVOCATION_ADDRESS,
            "description": "Whose tokens are good no longer: the last message of each user. A token without `iat` "
            "counts as older than any of them.",
            "servers": bus,
            "parameters": {"user_id": {"description": "Whose tokens.", "examples": ["alice"]}},
            "messages": {"revocation": ref("components", "messages", "revocation")},
            "x-stream": _stream(streams.REVOCATIONS),
        },
        "socket": _socket(keys),
    }


def _stream(shape: streams.Shape) -> Json:
    return {
        "name": shape.name,
        "max_age_seconds": int(shape.max_age.total_seconds()),
        "duplicate_window_seconds": int(shape.duplicate_window.total_seconds()),
    }


def _socket(keys: list[str]) -> Json:
    return {
        "address": PATH,
        "description": "One client's WebSocket; text messages of UTF-8 JSON. `x-close-codes` says what a "
        "client does after each close code.",
        "servers": [ref("servers", "push")],
        "messages": {key: ref("components", "messages", f"frame.{key}") for key in [*SERVER_FRAMES, *keys]}
        | {"auth": ref("components", "messages", "operation.auth")},
        "bindings": {
            "ws": {
                "bindingVersion": "0.1.0",
                "method": "GET",
                "query": {
                    "type": "object",
                    "description": "Give both to resume, or neither.",
                    "properties": {
                        "epoch": {"type": "string", "description": "the epoch of the last hello frame"},
                        "since": {
                            "type": "integer",
                            "minimum": 0,
                            "description": "the seq of the last frame, whichever it was",
                        },
                    }
                    | {
                        source: {
                            "type": "integer",
                            "minimum": 0,
                            "description": f"the seq of the last event of {source}, or where hello or a heartbeat's "
                            "`whole` stood if that is higher; without it, an event that was repaired late may be "
                            "missed (docs/RELIABILITY.md)",
                        }
                        for source in subjects.SOURCES
                    },
                },
                "headers": {
                    "type": "object",
                    "properties": {
                        "Sec-WebSocket-Protocol": {
                            "type": "string",
                            "description": f"the server answers `{SUBPROTOCOL}` only",
                            "examples": [f"{SUBPROTOCOL}, {BEARER_PREFIX}<jwt>"],
                        },
                        "Authorization": {
                            "type": "string",
                            "description": "`Bearer <jwt>`; for non-browsers",
                        },
                        "Origin": {"type": "string", "description": "must be on the allow-list when present"},
                    },
                },
            }
        },
        "x-subprotocol": SUBPROTOCOL,
        "x-close-codes": {
            str(code.value): {"name": code.name, "advice": advice} for code, advice in CLOSE_ADVICE.items()
        },
    }


def _operations() -> Json:
    def operation(action: str, channel: str, summary: str, messages: list[str]) -> Json:
        return {
            "action": action,
            "channel": ref("channels", channel),
            "summary": summary,
            "messages": [ref("channels", channel, "messages", key) for key in messages],
        } | ({} if channel == "socket" else {"bindings": _BUS_BINDING})

    every = _keys(*subjects.SOURCES)
    said = _keys("connection")
    frames = [*SERVER_FRAMES, *every]
    return {
        "connection_service.publish": operation("send", "events", "Says what happened between partners.", said),
        "inbox_service.publish": operation("send", "events", "Says what happened to items.", _keys("inbox")),
        "inbox_service.consume": operation("receive", "events", "Makes items of answers.", said)
        | {"x-durable-consumer": subjects.INBOX_CONSUMER, "x-filter": subjects.source_filter("connection")},
        "inbox_service.bury": operation("send", "deadletters", "Keeps what it cannot process.", ["deadletter"]),
        "connection_service.revoke": operation("send", "revocations", "Signs somebody out everywhere.", ["revocation"]),
        "connection_service.heed": operation("receive", "revocations", "Refuses what was revoked.", ["revocation"]),
        "inbox_service.heed": operation("receive", "revocations", "Refuses what was revoked.", ["revocation"]),
        "push_gateway.heed": operation("receive", "revocations", "Closes sockets of revoked tokens.", ["revocation"]),
        "push_gateway.follow": operation("receive", "push", "Follows one user's events live.", every),
        "push_gateway.replay": operation("receive", "events", "Reads what a client or a feed missed.", every),
        "push_gateway.deliver": operation("send", "socket", "Sends every frame there is.", frames),
        "push_gateway.renew": operation("receive", "socket", "Takes a newer token.", ["auth"]),
        "client.follow": operation("receive", "socket", "Gets every frame there is.", frames),
        "client.renew": operation("send", "socket", "Renews its token before it expires.", ["auth"]),
    }
