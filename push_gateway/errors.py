"""Owns the reasons for which the gateway ends a socket or gives up on a read.

Refusal                     its own close code
├── BadFrame                4400
├── TokenRefused            4401
├── NotAllowed              4403
├── ReadsTooSlowly          4408
├── TooMany                 4429, with `retry_after` in the reason
├── Full                    1013
└── Draining                1001
"""

import json
from typing import ClassVar

from contracts.frames import CloseCode

REASON_MAX = 123
"""Bytes that a close reason may have (RFC 6455 section 5.5)."""


class Refusal(Exception):
    """The socket is closed with `code`; the text is the reason that the client reads."""

    code: ClassVar[CloseCode]

    @property
    def reason(self) -> str:
        """The text, cut to what a close frame can carry."""
        return str(self).encode()[:REASON_MAX].decode(errors="ignore")


class BadFrame(Refusal):
    """The client sent something that is not an `auth` operation."""

    code = CloseCode.PROTOCOL_BROKEN


class TokenRefused(Refusal):
    """The token is missing, malformed, foreign, expired or revoked."""

    code = CloseCode.TOKEN_REFUSED


class NotAllowed(Refusal):
    """The origin is not on the list, or the token's subject is no user id."""

    code = CloseCode.NOT_ALLOWED


class ReadsTooSlowly(Refusal):
    """More is waiting for the client than the gateway will hold."""

    code = CloseCode.READING_TOO_SLOWLY


class TooMany(Refusal):
    """The user has too many sockets or connects too often, or the socket sends too many operations."""

    code = CloseCode.TOO_MANY

    def __init__(self, what: str, *, retry_after: int) -> None:
        super().__init__(json.dumps({"retry_after": retry_after, "detail": what}))


class Full(Refusal):
    """The gateway holds as many sockets as it may, or cannot reach the bus."""

    code = CloseCode.TRY_AGAIN_LATER


class Draining(Refusal):
    """The gateway is being stopped."""

    code = CloseCode.GOING_AWAY
