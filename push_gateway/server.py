"""Owns the port: WebSocket handshakes and the few plain HTTP answers, and letting everybody go at the end."""

import asyncio
import email.utils
import http
import random
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from chassis.auth import Authenticator, Claims
from chassis.errors import BusUnavailable, InvalidToken
from chassis.exposition import exposition
from chassis.process import BACKLOG
from chassis.rates import RateLimit
from chassis.revocations import Revocations
from contracts.frames import PATH
from contracts.subjects import InvalidUserId, user_id
from push_gateway import metrics
from push_gateway.address import address_of
from push_gateway.admission import Admission
from push_gateway.connection import PushConnection
from push_gateway.errors import Draining, Full, NotAllowed, Refusal, TokenRefused, TooMany
from push_gateway.handshake import check_origin, cursor_of, token_of
from push_gateway.hub import Hub
from push_gateway.session import Session
from push_gateway.settings import Settings
from push_gateway.ticker import Ticker

log = structlog.get_logger(__name__)

USER_TIMEOUT = 60_000
"""Milliseconds after which the kernel gives up on a peer that acknowledges nothing; heartbeats keep it busy."""

SEND_BUFFER = 64 * 1024
"""Bytes that the kernel may hold for a client, which counts double; by itself it would hold up to 4 MiB for each that
does not read. It bounds the rate to a client that is far away: some 300 KiB/s, 800 events, at 200 ms there and back."""

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
        self._connections: dict[PushConnection, Session | None] = {}
        self._behind: set[PushConnection] = set()
        self._letting_in: dict[PushConnection, asyncio.Task[None]] = {}
        self._draining = False
        self._all_gone: asyncio.Event | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        _prepare(self._listener)
        listening = await loop.create_server(lambda: PushConnection(self, loop), sock=self._listener, backlog=BACKLOG)
        try:
            await loop.create_future()
        finally:
            listening.close()
            await self._see_off()

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

    async def _see_off(self) -> None:
        """Let everybody go who is still there, and wait until they have gone; each is cut after a while."""
        leaving = Draining("the gateway is being restarted; come back and resume")
        for connection, session in list(self._connections.items()):
            if session is not None:
                session.end(leaving)
            else:
                connection.refuse(leaving)
        if self._connections:
            self._all_gone = asyncio.Event()
            await self._all_gone.wait()

    def heed(self, revocations: Revocations) -> None:
        """Close the sockets whose tokens were revoked."""
        for session in [each for each in self.sessions if revocations.revokes(each.user, each.issued_at)]:
            session.end(TokenRefused("the token was revoked; come back with a new one"))

    def connected(self, connection: PushConnection) -> None:
        self._connections[connection] = None

    def asked(self, connection: PushConnection, request: Request) -> None:
        match _path_of(request):
            case path if path == PATH:
                if wait := self._of_address.take(address_of(request, connection.address, self._trusted)):
                    connection.answer(_too_often(wait))
                else:
                    task = asyncio.create_task(self._let_in(connection, request), name="let in")
                    self._letting_in[connection] = task
                    task.add_done_callback(lambda _: self._letting_in.pop(connection, None))
            case "/healthz":
                connection.answer(_text(http.HTTPStatus.OK, "alive\n"))
            case "/readyz" if self._ready() and not self._draining:
                connection.answer(_text(http.HTTPStatus.OK, "ready\n"))
            case "/readyz":
                connection.answer(_text(http.HTTPStatus.SERVICE_UNAVAILABLE, "not ready\n"))
            case "/metrics":
                connection.answer(_metrics(request))
            case _:
                connection.answer(_text(http.HTTPStatus.NOT_FOUND, f"the socket is at {PATH}\n"))

    def behind(self, connection: PushConnection) -> None:
        self._behind.add(connection)

    def caught_up(self, connection: PushConnection) -> None:
        self._behind.discard(connection)

    def sessions_behind(self) -> list[Session]:
        """Those whose clients take less than they are sent; for each of the others at most `BEHIND` bytes wait."""
        found = (self._connections[connection] for connection in self._behind)
        return [session for session in found if session is not None]

    def gone(self, connection: PushConnection) -> None:
        if (letting_in := self._letting_in.pop(connection, None)) is not None:
            letting_in.cancel()
        if (session := self._connections.pop(connection)) is not None:
            session.forget()
            self.sessions.discard(session)
            self._ticker.remove(session)
            metrics.sockets.dec()
            self._hub.leave(session)
        if self._all_gone is not None and not self._connections:
            self._all_gone.set()

    async def _let_in(self, connection: PushConnection, request: Request) -> None:
        """From the request until the client takes part in what its user is sent."""
        await self._admission.turn()
        if not connection.accept(request):
            return
        end = connection.refuse
        try:
            session = await self._admit(connection, request)
            end = session.end
            self._enter(session)
            await self._hub.join(session)
        except Refusal as refusal:
            end(refusal)
        except Exception:
            log.exception("a socket could not be let in")
            end(Full("something went wrong here; come back"))

    def _enter(self, session: Session) -> None:
        self._connections[session.connection] = session
        self._hub.enter(session)
        self._ticker.add(session)
        self.sessions.add(session)
        metrics.sockets.inc()
        session.connection.listen(session.hear)

    async def _admit(self, connection: PushConnection, request: Request) -> Session:
        """Raises:
        Refusal: this client may not have a socket, or not now.
        """
        check_origin(request, self._settings.allowed_origins)
        claims = await self._check(token_of(request))
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
        return Session(connection, user, claims, cursor_of(request), self._check, self._ticker.renew)

    async def _check(self, token: str) -> Claims:
        try:
            return await self._authenticator.check(token)
        except InvalidToken as error:
            raise TokenRefused(str(error)) from error
        except BusUnavailable as error:
            raise Full(f"{error}; come back") from error


def _prepare(listener: socket.socket) -> None:
    """What holds for each connection: those that the kernel accepts are like the socket that they come from."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT)


def _response(status: http.HTTPStatus, content_type: str, body: bytes) -> Response:
    fields = {
        "Date": email.utils.formatdate(usegmt=True),
        "Connection": "close",
        "Content-Length": str(len(body)),
        "Content-Type": content_type,
    }
    return Response(status.value, status.phrase, Headers(fields), body)


def _text(status: http.HTTPStatus, text: str) -> Response:
    return _response(status, "text/plain; charset=utf-8", text.encode())


def _metrics(request: Request) -> Response:
    metrics.tally.hand_over()
    body, content_type = exposition(",".join(request.headers.get_all("Accept")))
    return _response(http.HTTPStatus.OK, content_type, body)


def _too_often(wait: int) -> Response:
    """Before there is a socket: a browser is not told why, and comes back a while later all the same."""
    response = _text(http.HTTPStatus.TOO_MANY_REQUESTS, "too many handshakes from this address\n")
    response.headers["Retry-After"] = str(wait)
    return response


def _path_of(request: Request) -> str:
    try:
        return urlsplit(request.path).path
    except ValueError:  # what looks like a host in it is none
        return ""
