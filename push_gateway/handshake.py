"""Owns reading what a client asks for when it connects: who it is, from where, and what it has already."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Request

from contracts.frames import BEARER_PREFIX, SUBPROTOCOL
from contracts.subjects import SOURCES
from push_gateway.errors import NotAllowed, TokenRefused
from push_gateway.messages import SEQUENCE_DIGITS


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a client has, in the stream's history that `epoch` names.

    Attributes:
        since: the last sequence that it was sent.
        positions: for each source the sequence up to which it has everything; `since` for one that it does not name.
    """

    epoch: str
    since: int
    positions: Mapping[bytes, int] = field(default_factory=dict)

    @property
    def whole(self) -> int:
        """Up to where it has everything, whatever the source."""
        return min(self.positions.values(), default=self.since)


def check_origin(request: Request, allowed: Collection[str]) -> None:
    """Browsers always say which page connects; a page that is not ours must not use its visitor's token.

    Raises:
        NotAllowed: there is an origin and it is not on the list, or there are several.
    """
    origins = request.headers.get_all("Origin")
    if len(origins) > 1 or any(origin not in allowed for origin in origins):
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
    query = parse_qs(urlsplit(request.path).query, keep_blank_values=True)
    epoch, since = query.get("epoch", [""])[0], _sequence(query, "since")
    positions = {source.encode(): _sequence(query, source) if source in query else since for source in SOURCES}
    if not epoch or since is None or None in positions.values():
        return None
    return Cursor(epoch, since, {source: at for source, at in positions.items() if at is not None})


def _sequence(query: Mapping[str, list[str]], name: str) -> int | None:
    text = query.get(name, [""])[0]
    return int(text) if text.isascii() and text.isdigit() and len(text) <= SEQUENCE_DIGITS else None
