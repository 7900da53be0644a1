"""Owns the port: WebSocket handshakes and the few plain HTTP answers, and letting everybody go at the end."""

import asyncio
import http
import random
import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import structlog
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from chassis.auth import Authenticator, Claims
from chassis.errors import BusUnavailable, InvalidToken
from chassis.exposition import exposition
from chassis.rates import RateLimit
from chassis.revocations import Revocations
from contracts.frames import PATH, SUBPROTOCOL
from contracts.subjects import InvalidUserId, user_id
from push_gateway import metrics
from push_gateway.address import address_of
from push_gateway.admission import Admission
from push_gateway.connection import CLOSE_TIMEOUT, PushConnection
from push_gateway.errors import Draining, Full, NotAllowed, Refusal, TokenRefused, TooMany
from push_gateway.handshake import check_origin, cursor_of, token_of
from push_gateway.hub import Hub
from push_gateway.session import Session
from push_gateway.settings import Settings
from push_gateway.ticker import Ticker

log = structlog.get_logger(__name__)

OPEN_TIMEOUT = 20.0
"""Seconds for the opening handshake: a client on a bad mobile line takes 2 or 3, and the gateway itself some 10 when it
is full and everybody comes back at once."""

INBOUND_MAX = 4 * 1024
"""Bytes of a message from the client: a token is at most 2 KiB in practice."""

RETRY_AFTER = 30
"""Seconds that a user with too many sockets is asked to wait."""

DRAIN_RATE = 500
"""Sockets closed a second at least: a few need not wait for the whole drain time."""


class PushServer:
    """Serves sockets on one listening socket until cancelled.

    Attributes:
        sessions: all that are open and admitted.
    """

    name = "push"

    def __init__(
        self,
        listener: socket.socket,
        hub: Hub,
        ticker: Ticker,
        authenticator: Authenticator,
        settings: Settings,
        *,
        ready: Callable[[], bool],
    ) -> None:
        self._listener = listener
        self._hub = hub
        self._ticker = ticker
        self._authenticator = authenticator
        self._settings = settings
        self._ready = ready
        self._admission = Admission()
        self._of_address = RateLimit(settings.handshakes_per_address)
        self._of_user = RateLimit(settings.handshakes_per_user)
        self._trusted = settings.trusted_networks
        self.sessions: set[Session] = set()
        self._draining = False

    async def run(self) -> None:
        async with serve(
            self._handle,
            sock=self._listener,
            process_request=self._process_request,
            select_subprotocol=_select_subprotocol,
            create_connection=PushConnection,
            compression=None,
            open_timeout=OPEN_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            max_size=INBOUND_MAX,
            ping_interval=None,
            server_header=None,
        ) as server:
            await server.serve_forever()

    async def drain(self) -> None:
        """Take no new sockets and close the present ones, spread over the drain time."""
        self._draining = True
        sessions = list(self.sessions)
        random.shuffle(sessions)
        pause = min(self._settings.drain, len(sessions) / DRAIN_RATE) / max(len(sessions), 1)
        log.info("draining", sockets=len(sessions), seconds=round(pause * len(sessions), 1))
        for session in sessions:
            session.end(Draining("the gateway is being restarted; come back and resume"))
            await asyncio.sleep(pause)

    def heed(self, revocations: Revocations) -> None:
        """Close the sockets whose tokens were revoked."""
        for session in [each for each in self.sessions if revocations.revokes(each.user, each.issued_at)]:
            session.end(TokenRefused("the token was revoked; come back with a new one"))

    async def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        match _path_of(request):
            case path if path == PATH:
                peer = (connection.remote_address or ("gone",))[0]
                if wait := self._of_address.take(address_of(request, peer, self._trusted)):
                    return _too_often(connection, wait)
                await self._admission.turn()
                return None
            case "/healthz":
                return connection.respond(http.HTTPStatus.OK, "alive\n")
            case "/readyz" if self._ready() and not self._draining:
                return connection.respond(http.HTTPStatus.OK, "ready\n")
            case "/readyz":
                return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "not ready\n")
            case "/metrics":
                return _metrics(request)
        return connection.respond(http.HTTPStatus.NOT_FOUND, f"the socket is at {PATH}\n")

    async def _handle(self, connection: ServerConnection) -> None:
        """The life of one socket."""
        assert isinstance(connection, PushConnection), "made by create_connection"
        try:
            session = await self._admit(connection)
        except Refusal as refusal:
            connection.refuse(refusal)
            await connection.wait_closed()
            return
        self._hub.enter(session)
        self._ticker.add(session)
        self.sessions.add(session)
        metrics.sockets.inc()
        joining = asyncio.create_task(self._join(session), name=f"join {session.user}")
        try:
            await session.listen()
        except Refusal as refusal:
            session.end(refusal)
        finally:
            joining.cancel()
            self.sessions.discard(session)
            self._ticker.remove(session)
            metrics.sockets.dec()
            await self._hub.leave(session)

    async def _join(self, session: Session) -> None:
        """Beside reading from the socket: a client that is sent a lot may go away meanwhile, or renew its token."""
        assert session.connection.request is not None, "the handshake is over"
        try:
            await self._hub.join(session, cursor_of(session.connection.request))
        except Refusal as refusal:
            session.end(refusal)
        except ConnectionClosed:
            pass
        except Exception:
            log.exception("a socket could not join", user=session.user)
            session.end(Full("something went wrong here; come back"))

    async def _admit(self, connection: PushConnection) -> Session:
        """Raises:
        Refusal: this client may not have a socket, or not now.
        """
        assert connection.request is not None, "the handshake is over"
        check_origin(connection.request, self._settings.allowed_origins)
        claims = await self._check(token_of(connection.request))
        try:
            user = user_id(claims.subject)
        except InvalidUserId as error:
            raise NotAllowed(str(error)) from error
        if wait := self._of_user.take(user):
            raise TooMany("you connect too often", retry_after=wait)
        if self._draining:  # from here on nothing is waited for: what is found out now holds until it is counted
            raise Draining("the gateway is being restarted; come back")
        if len(self.sessions) >= self._settings.max_sockets:
            raise Full("the gateway is full; come back")
        if self._hub.sockets_of(user) >= self._settings.max_sockets_per_user:
            raise TooMany("you have too many sockets open", retry_after=RETRY_AFTER)
        return Session(connection, user, claims, self._check, self._ticker.renew)

    async def _check(self, token: str) -> Claims:
        try:
            return await self._authenticator.check(token)
        except InvalidToken as error:
            raise TokenRefused(str(error)) from error
        except BusUnavailable as error:
            raise Full(f"{error}; come back") from error


def _metrics(request: Request) -> Response:
    metrics.tally.hand_over()
    body, content_type = exposition(",".join(request.headers.get_all("Accept")))
    return Response(200, "OK", Headers({"Content-Type": content_type}), body)


def _select_subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Never the one that carries the token. A client that offers none is answered without one."""
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None


def _too_often(connection: ServerConnection, wait: int) -> Response:
    """Before there is a socket: a browser is not told why, and comes back a while later all the same."""
    response = connection.respond(http.HTTPStatus.TOO_MANY_REQUESTS, "too many handshakes from this address\n")
    response.headers["Retry-After"] = str(wait)
    return response


def _path_of(request: Request) -> str:
    try:
        return urlsplit(request.path).path
    except ValueError:  # what looks like a host in it is none
        return ""
