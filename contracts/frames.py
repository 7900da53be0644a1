"""Owns the socket: frames to the client, the one operation from it, and the close codes.

A frame is UTF-8 JSON in a text message. Event frames carry the body of the bus message spliced in as it
is: on the way it is only looked at whether it is a JSON object.
"""

import enum
from typing import Annotated, Any, Literal

from pydantic import Field

from contracts.events import Contract, EventIdText, UserIdText
from contracts.subjects import UserId

PATH = "/v1/push"
SUBPROTOCOL = "tandem.v1"
BEARER_PREFIX = "bearer."
"""`["tandem.v1", "bearer.<jwt>"]` is how a browser, which cannot set headers, presents its token."""


class CloseCode(enum.IntEnum):
    """Why the server closed the socket, and by that what the client does next (RFC 6455 section 7.4)."""

    GOING_AWAY = 1001
    TRY_AGAIN_LATER = 1013
    PROTOCOL_BROKEN = 4400
    TOKEN_REFUSED = 4401
    NOT_ALLOWED = 4403
    READING_TOO_SLOWLY = 4408
    TOO_MANY = 4429


CLOSE_ADVICE: dict[CloseCode, str] = {
    CloseCode.GOING_AWAY: "The server is draining. Come back and resume.",
    CloseCode.TRY_AGAIN_LATER: "The server is full or not ready. Come back and resume.",
    CloseCode.PROTOCOL_BROKEN: "You broke the protocol. Stop.",
    CloseCode.TOKEN_REFUSED: "Your token is missing, wrong, expired or revoked. Get a new one, then come back.",
    CloseCode.NOT_ALLOWED: "Your origin or user id is not allowed. Stop.",
    CloseCode.READING_TOO_SLOWLY: "You read too slowly. Come back and resume.",
    CloseCode.TOO_MANY: (
        "Too many sockets, handshakes or operations. Wait retry_after seconds (in the reason), then come back."
    ),
}

Position = Annotated[int, Field(ge=0, description="where the client now stands: its next `since`")]


class HelloData(Contract):
    """The first frame's data."""

    user_id: UserIdText
    epoch: str = Field(description="names the stream's history; a cursor is worth nothing in another epoch")
    resumed: bool = Field(description="true: everything after the given cursor follows; false: fetch state anew")
    heartbeat: int = Field(ge=1, description="seconds between heartbeat frames; twice that without one: reconnect")


class HelloFrame(Contract):
    """The first frame. `seq` is the position that everything after it continues from."""

    event: Literal["hello"]
    seq: Position
    data: HelloData


class HeartbeatFrame(Contract):
    """A sign of life: a browser cannot see the protocol's own pings."""

    event: Literal["heartbeat"]
    seq: Position
    whole: int | None = Field(
        None, ge=0, description="up to here nothing of any source is missing, as a comparison with the stream has shown"
    )


class ResyncData(Contract):
    """Why the client must fetch its state again, and if the stream has a new history, its name."""

    reason: str
    epoch: str | None = Field(None, description="the epoch to resume in from now on; absent if it is the same")


class ResyncFrame(Contract):
    """Fetch your state again, then go on from `seq`."""

    event: Literal["resync"]
    seq: Position
    data: ResyncData


class EventFrame(Contract):
    """One event: its name, its id on the bus, and data of the shape that belongs to the name."""

    event: str
    seq: Position
    id: EventIdText
    data: Any


class AuthOperation(Contract):
    """`{"op":"auth","token":"..."}` renews the token on the open socket. The client sends nothing else."""

    op: Literal["auth"]
    token: str = Field(min_length=1)


def hello(seq: int, *, user: UserId, epoch: str, resumed: bool, heartbeat: int) -> bytes:
    """Make a `HelloFrame`."""
    data = HelloData(user_id=user, epoch=epoch, resumed=resumed, heartbeat=heartbeat)
    return HelloFrame(event="hello", seq=seq, data=data).model_dump_json().encode()


def heartbeat(seq: int, *, whole: int | None = None) -> bytes:
    """Make a `HeartbeatFrame`."""
    return HeartbeatFrame(event="heartbeat", seq=seq, whole=whole).model_dump_json(exclude_none=True).encode()


def resync(seq: int, reason: str, *, epoch: str | None = None) -> bytes:
    """Make a `ResyncFrame`."""
    frame = ResyncFrame(event="resync", seq=seq, data=ResyncData(reason=reason, epoch=epoch))
    return frame.model_dump_json(exclude_none=True).encode()


def event(type: bytes, seq: bytes, id: bytes, body: bytes) -> bytes:  # noqa: A002
    """Make an `EventFrame` from the raw header values and the raw body of a bus message.

    Nothing needs escaping: `EVENT_ID_PATTERN` leaves no character that would, and the server writes `seq`.
    """
    return b'{"event":"%b","seq":%b,"id":"%b","data":%b}' % (type, seq, id, body)
