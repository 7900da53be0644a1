"""Owns reading what a client asks for when it connects: who it is, from where, and what it has already."""

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Request

from contracts.frames import BEARER_PREFIX, SUBPROTOCOL
from push_gateway.errors import NotAllowed, TokenRefused
from push_gateway.messages import SEQUENCE_DIGITS


@dataclass(frozen=True, slots=True)
class Cursor:
    """Up to where a client has everything: a sequence, in the stream's history that `epoch` names."""

    epoch: str
    since: int


def check_origin(request: Request, allowed: Collection[str]) -> None:
    """Browsers always say which page connects; a page that is not ours must not use its visitor's token.

    Raises:
        NotAllowed: there is an origin and it is not on the list.
    """
    origin = request.headers.get("Origin")
    if origin is not None and origin not in allowed:
        raise NotAllowed("this origin is not allowed")


def token_of(request: Request) -> str:
    """The bearer token, from the subprotocol list or the `Authorization` header. Never from the URL: it is logged.

    Raises:
        TokenRefused: there is none.
    """
    for offered in offered_subprotocols(request):
        if offered.startswith(BEARER_PREFIX):
            return offered.removeprefix(BEARER_PREFIX)
    for value in request.headers.get_all("Authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
    raise TokenRefused(f"offer the subprotocols {SUBPROTOCOL!r} and '{BEARER_PREFIX}<token>'")


def offered_subprotocols(request: Request) -> list[str]:
    """The subprotocols that the client offers, in its order."""
    return [offer.strip() for value in request.headers.get_all("Sec-WebSocket-Protocol") for offer in value.split(",")]


def cursor_of(request: Request) -> Cursor | None:
    """From where the client wants to resume; None if it does not, or if what it says cannot be read: then it is told
    to fetch its state anew, which is right in both cases."""
    query = parse_qs(urlsplit(request.path).query)
    epoch, since = query.get("epoch", [""])[0], query.get("since", [""])[0]
    if not epoch or not (since.isascii() and since.isdigit() and len(since) <= SEQUENCE_DIGITS):
        return None
    return Cursor(epoch, int(since))
