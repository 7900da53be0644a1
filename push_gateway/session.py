"""Owns one client's session: what is written to it, never waiting for it, and the one operation that it may send."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import structlog
from pydantic import ValidationError

from chassis.auth import Claims
from chassis.failpoints import Point, reached
from contracts.frames import AuthOperation
from contracts.subjects import SOURCES, UserId
from push_gateway import metrics
from push_gateway.connection import Message, PushConnection
from push_gateway.errors import BadFrame, Full, NotAllowed, ReadsTooSlowly, Refusal
from push_gateway.feed import Feed
from push_gateway.handshake import Cursor
from push_gateway.messages import StoredEvent
from push_gateway.wire import text_frame

log = structlog.get_logger(__name__)

UNSENT_MAX = 1024 * 1024
"""Bytes that may wait for a client in this process. Some 4,000 events: more is not a hiccup, and resuming is cheap."""

REPLAY_STALL = 30.0
"""Seconds for which a client may take nothing of its replay."""

Check = Callable[[str], Awaitable[Claims]]


class Session:
    """One socket of one user.

    Attributes:
        expires_at: when its token ends, seconds since the Unix epoch.
        issued_at: when its token was issued, likewise; None if it does not say.
        cursor: from where the client wanted to resume; None if it did not.
        position: up to where the client had everything when it was last sent something of its own.
        greeted: whether it was sent `hello`, before which there is nothing.
        opened_at: when it was let in, seconds since the Unix epoch.
        anew_at: where it stood when it was last told to fetch its state anew; None if it never was.
        feed: its user's feed, once it takes part in it.
    """

    __slots__ = (
        "_check",
        "_listening",
        "_on_renewal",
        "_reached",
        "_said",
        "anew_at",
        "connection",
        "cursor",
        "expires_at",
        "feed",
        "greeted",
        "issued_at",
        "opened_at",
        "position",
        "user",
    )

    def __init__(
        self,
        connection: PushConnection,
        user: UserId,
        claims: Claims,
        cursor: Cursor | None,
        check: Check,
        on_renewal: Callable[["Session"], None],
    ) -> None:
        self.connection = connection
        self.user = user
        self.expires_at = claims.expires_at
        self.issued_at = claims.issued_at
        self.cursor = cursor
        self.position = 0
        self.greeted = False
        self.opened_at = time.time()
        self.anew_at: int | None = None
        self.feed: Feed | None = None
        self._reached: Mapping[str, int] | None = None
        self._check = check
        self._on_renewal = on_renewal
        self._said: Sequence[Message] = ()
        self._listening: asyncio.Task[None] | None = None

    @property
    def reads_too_slowly(self) -> bool:
        """Whether more waits for the client than may."""
        return self.connection.unsent > UNSENT_MAX

    def write(self, frame: bytes) -> None:
        """Send a frame without waiting for anything."""
        self.connection.write(text_frame(frame))

    def greet(self, hello: bytes, position: int) -> None:
        """Send the first frame: what is behind `position` follows."""
        self.position = position
        self.greeted = True
        self.write(hello)

    def begin_anew(self, resync: bytes, position: int) -> None:
        """Have the client fetch its state: what is behind `position` follows."""
        self.position = self.anew_at = position
        self.write(resync)

    def reached(self) -> Mapping[str, int]:
        """Up to where it was sent all there is, by source; once it has ended, what that was then."""
        if self._reached is not None:
            return self._reached
        positions = self.feed.positions() if self.feed is not None else dict.fromkeys(SOURCES, 0)
        return {source: max(seq, self.position) for source, seq in positions.items()}

    def settle(self) -> None:
        """Nothing more is sent to it: what it has reached stays as it is."""
        self._reached = self.reached()

    async def replay(self, events: Iterable[StoredEvent], *, had: Mapping[bytes, int]) -> None:
        """Send events at the pace of the client, but not those up to the position in `had` of their source.

        Raises:
            ReadsTooSlowly: it took nothing for `REPLAY_STALL` seconds.
        """
        encoded: list[bytes] = []
        for event in events:
            self.position = event.seq
            if event.frame and event.seq > had.get(event.source, 0):
                encoded.append(event.frame)
                reached(Point.REPLAYING)
        joined = b"".join(encoded)
        self.connection.write(joined)
        metrics.tally.replayed(frames=len(encoded), size=len(joined))
        await self.drained()

    async def drained(self) -> None:
        """Wait until the client has taken most of what it was sent.

        Raises:
            ReadsTooSlowly: it took nothing for `REPLAY_STALL` seconds.
        """
        while True:
            unsent = self.connection.unsent
            try:
                async with asyncio.timeout(REPLAY_STALL):
                    return await self.connection.drain()
            except TimeoutError:
                if self.connection.unsent >= unsent:
                    raise ReadsTooSlowly("you took nothing for too long") from None

    def end(self, refusal: Refusal) -> None:
        """Close the socket for a reason."""
        self.settle()
        self.connection.refuse(refusal)

    def hear(self, message: Message) -> None:
        """The client has sent something; it is looked at as soon as what it sent before has been."""
        self._said = (*self._said, message)
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen(), name=f"listen to {self.user}")

    async def _listen(self) -> None:
        try:
            while self._said:
                message, *rest = self._said
                self._said = rest
                await self._renew(message)
        except Refusal as refusal:
            self.end(refusal)
        except Exception:
            log.exception("what a client said could not be carried out", user=self.user)
            self.end(Full("something went wrong here; come back"))
        finally:
            self._listening = None

    def forget(self) -> None:
        """The client is gone: what it said last is not carried out any more."""
        if self._listening is not None:
            self._listening.cancel()

    async def _renew(self, message: Message) -> None:
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
        self.issued_at = claims.issued_at
        self._on_renewal(self)
