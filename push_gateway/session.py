"""Owns one socket: writing to it without ever waiting for it, and reading the one operation that it may send."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog
from pydantic import ValidationError
from websockets.asyncio.connection import broadcast
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from chassis.auth import Claims
from contracts.frames import AuthOperation
from contracts.subjects import UserId
from push_gateway import metrics
from push_gateway.errors import BadFrame, NotAllowed, ReadsTooSlowly, Refusal, TooMany

log = structlog.get_logger(__name__)

UNSENT_MAX = 1024 * 1024
"""Bytes that may wait for a client in this process. Some 4,000 events: more is not a hiccup, and resuming is cheap."""

REPLAY_STALL = 30.0
"""Seconds for which a client may take nothing of its replay."""

OPERATIONS_MAX = 10
OPERATIONS_WINDOW = 60.0
"""Operations a socket in so many seconds. A token is renewed once in many minutes."""

Check = Callable[[str], Awaitable[Claims]]


class Session:
    """One socket of one user.

    Attributes:
        expires_at: when its token ends, seconds since the Unix epoch.
        position: up to where the client has everything.
    """

    __slots__ = ("_check", "_operations", "connection", "ended", "expires_at", "position", "user")

    def __init__(self, connection: ServerConnection, user: UserId, claims: Claims, check: Check) -> None:
        self.connection = connection
        self.user = user
        self.expires_at = claims.expires_at
        self.position = 0
        self.ended = False
        self._check = check
        self._operations: list[float] = []

    @property
    def reads_too_slowly(self) -> bool:
        """Whether more waits for the client than may."""
        return self.connection.transport.get_write_buffer_size() > UNSENT_MAX

    def write(self, frame: bytes) -> None:
        """Send a frame without waiting for anything."""
        broadcast((self.connection,), frame, text=True)

    async def replay(self, parts: Iterable[bytes]) -> None:
        """Send frames at the pace of the client.

        Raises:
            ReadsTooSlowly: it took nothing for `REPLAY_STALL` seconds.
        """
        for frame in parts:
            try:
                async with asyncio.timeout(REPLAY_STALL):
                    await self.connection.send(frame, text=True)
            except TimeoutError:
                raise ReadsTooSlowly("you took nothing for too long") from None

    def end(self, refusal: Refusal) -> None:
        """Close the socket for a reason, without waiting for the client to agree."""
        if not self.ended:
            self.ended = True
            close_soon(self.connection, refusal)

    async def listen(self) -> None:
        """Read what the client sends until it is gone.

        Raises:
            Refusal: it sent something that it must not.
        """
        loop = asyncio.get_running_loop()
        try:
            async for message in self.connection:
                self._count(loop.time())
                await self._renew(message)
        except ConnectionClosed:
            return

    def _count(self, now: float) -> None:
        self._operations = [at for at in self._operations if now - at < OPERATIONS_WINDOW]
        self._operations.append(now)
        if len(self._operations) > OPERATIONS_MAX:
            raise TooMany("too many operations", retry_after=int(OPERATIONS_WINDOW))

    async def _renew(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            raise BadFrame('send text: {"op":"auth","token":"..."}')
        try:
            operation = AuthOperation.model_validate_json(message)
        except ValidationError:
            raise BadFrame('the only operation is {"op":"auth","token":"..."}') from None
        claims = await self._check(operation.token)
        if claims.subject != self.user:
            raise NotAllowed("this token is somebody else's; open another socket")
        self.expires_at = claims.expires_at


_closing: set[asyncio.Task[None]] = set()


def close_soon(connection: ServerConnection, refusal: Refusal) -> None:
    """Start the closing handshake; `websockets` bounds how long it may take."""
    metrics.refusals.labels(int(refusal.code)).inc()
    task = asyncio.create_task(connection.close(refusal.code, refusal.reason))
    _closing.add(task)
    task.add_done_callback(_closing.discard)
