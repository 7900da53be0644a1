"""Owns one connection from a client: its bytes, what may come in on it, and that it is gone soon after it was refused.

What RFC 6455 says is left to `websockets`, to its part that does no I/O. Its asyncio server is for applications that
talk with each client: it has a task, a queue and both heads of the handshake for each. Ours listen for hours and say
nothing; here they cost a parser.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from contracts.frames import SUBPROTOCOL
from push_gateway import metrics
from push_gateway.errors import BadFrame, Refusal, TooMany

OPEN_TIMEOUT = 20.0
"""Seconds for the opening handshake: a client on a bad mobile line takes 2 or 3, and the gateway itself some 10 when it
is full and everybody comes back at once."""

CLOSE_TIMEOUT = 2.0
"""Seconds for the closing handshake; then the connection is cut."""

INBOUND_MAX = 4 * 1024
"""Bytes of a message from the client: a token is at most 2 KiB in practice."""

BEHIND = 4 * 1024
"""Bytes that may wait in this process before a client counts as behind: a dozen events. The kernel has taken many more
by then (`SEND_BUFFER` of the server), and for 20,000 clients that are not behind it is 80 MiB."""

FRAMES_MAX = 30
FRAMES_WINDOW = 60.0
"""Frames from a client in so many seconds, pings and parts of messages included. A token is renewed once in many
minutes; a client that pings does so every 20 s or so. Each ping costs an answer, whether that is read or not."""

Message = str | bytes
"""A message of a client: a text, or something else."""

_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})

_BROKEN = frozenset({CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG})


class Owner(Protocol):
    """Is told what becomes of connections."""

    def connected(self, connection: "PushConnection") -> None:
        """There is one more; nothing has come in yet."""

    def asked(self, connection: "PushConnection", request: Request) -> None:
        """A client wants something: `accept` it or `answer` it."""

    def behind(self, connection: "PushConnection") -> None:
        """More than `BEHIND` bytes wait for its client."""

    def caught_up(self, connection: "PushConnection") -> None:
        """Hardly any do now, or it is about to end."""

    def gone(self, connection: "PushConnection") -> None:
        """It has ended."""


class PushConnection(asyncio.Protocol):
    """A connection that can be refused at any time, at once.

    Attributes:
        open: whether there is a socket, and nobody has begun to close it.
        paused: whether frames have to wait for the client to take what was sent before.
    """

    __slots__ = (
        "_cut",
        "_drained",
        "_frames_in_window",
        "_hung_up",
        "_listener",
        "_loop",
        "_owner",
        "_parts",
        "_unheard",
        "_window_end",
        "_wire",
        "open",
        "paused",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.open = self.paused = False
        self._owner = owner
        self._loop = loop
        self._wire = _Wire()
        self._parts: Sequence[Frame] = ()
        self._unheard: Sequence[Message] = ()
        self._listener: Callable[[Message], None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._hung_up = False
        self._window_end = 0.0
        self._frames_in_window = 0

    @property
    def address(self) -> str:
        """The IP address of the other end, as long as it is there."""
        peer: tuple[str, int] | None = self.transport.get_extra_info("peername")
        return peer[0] if peer is not None else "gone"

    @property
    def unsent(self) -> int:
        """Bytes that wait in this process for the client to take them."""
        return self.transport.get_write_buffer_size()

    @property
    def close_code(self) -> int | None:
        """With what the client has closed it; 1006 if it went without a word, None while it is there."""
        return self._wire.close_code

    def accept(self, request: Request) -> bool:
        """Answer a request with the socket that it asks for; whether there is one now, as there is if it was in order
        and the client has not gone."""
        if self._wire.state is State.CONNECTING and not self._hung_up:
            self.answer(self._wire.accept(request))
        return self.open

    def answer(self, response: Response) -> None:
        """Answer a request; with anything but a socket that is the end of it."""
        self._wire.send_response(response)
        self._send()
        if self._wire.state is State.OPEN:
            self.open = True
            self._cut_after(None)
        else:
            self._hang_up()

    def listen(self, listener: Callable[[Message], None]) -> None:
        """Have `listener` called with each message of the client, those included that came before."""
        self._listener = listener
        for message in self._unheard:
            listener(message)
        self._unheard = ()

    def write(self, encoded: bytes) -> bool:
        """Send frames as they go over the wire, without waiting for anything.

        Whether some have to wait for the client to take what was sent before.
        """
        if self.open:
            self.transport.write(encoded)
        return self.paused

    async def drain(self) -> None:
        """Wait until the client has taken most of what was sent."""
        while self.paused:
            if self._drained is None or self._drained.done():  # whoever waited last may have given up
                self._drained = self._loop.create_future()
            await self._drained

    def refuse(self, refusal: Refusal) -> None:
        """Say why and hang up, without waiting for the client; nothing that it sends is looked at any more."""
        if self.open:
            metrics.refusals.labels(int(refusal.code)).inc()
            self._wire.fail(refusal.code, refusal.reason)
            self._send()
            self._hang_up()
        elif not self._hung_up:  # there is no socket yet on which to say it
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self.transport.set_write_buffer_limits(BEHIND)
        self._cut_after(OPEN_TIMEOUT)
        self._owner.connected(self)

    def data_received(self, data: bytes) -> None:
        self._wire.receive_data(data)
        self._send()
        if self._wire.close_expected():
            self._hang_up()
        for event in self._wire.events_received():
            if self._hung_up:
                break
            if isinstance(event, Request):
                self._owner.asked(self, event)
            elif isinstance(event, Frame):
                self._take(event)

    def eof_received(self) -> None:
        self._wire.receive_eof()
        self._send()
        self._hang_up()

    def connection_lost(self, _: Exception | None) -> None:
        self.open = False
        self._wire.receive_eof()
        self._wire.parser.close()  # it is a circle otherwise, which is freed much later
        self._listener = None
        self._cut_after(None)
        self.resume_writing()
        self._owner.gone(self)

    def pause_writing(self) -> None:
        self.paused = True
        self._owner.behind(self)

    def resume_writing(self) -> None:
        self.paused = False
        self._owner.caught_up(self)
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def _take(self, frame: Frame) -> None:
        if self._too_often(self._loop.time()):
            self.refuse(TooMany("too many frames", retry_after=int(FRAMES_WINDOW)))
        elif frame.opcode in _DATA:
            self._parts = (*self._parts, frame)
            if frame.fin:
                first, payload = self._parts[0], b"".join(part.data for part in self._parts)
                self._parts = ()
                self._hear(first.opcode, payload)

    def _hear(self, opcode: Opcode, payload: bytes) -> None:
        try:
            message = payload.decode() if opcode is Opcode.TEXT else payload
        except UnicodeDecodeError:
            self.refuse(BadFrame("a text is UTF-8"))
            return
        if self._listener is not None:
            self._listener(message)
        else:
            self._unheard = (*self._unheard, message)

    def _too_often(self, now: float) -> bool:
        if now >= self._window_end:
            self._window_end, self._frames_in_window = now + FRAMES_WINDOW, 0
        self._frames_in_window += 1
        return self._frames_in_window > FRAMES_MAX

    def _send(self) -> None:
        for data in self._wire.data_to_send():
            if data:
                self.transport.write(data)
            else:
                with contextlib.suppress(OSError, RuntimeError):  # the client may have gone
                    self.transport.write_eof()

    def _hang_up(self) -> None:
        """Nothing is expected of the client now but that it hangs up as well, within a while."""
        if not self._hung_up:
            self._hung_up, self.open = True, False
            self._cut_after(CLOSE_TIMEOUT)

    def _cut_after(self, seconds: float | None) -> None:
        if self._cut is not None:
            self._cut.cancel()
        self._cut = self._loop.call_later(seconds, self.transport.abort) if seconds is not None else None


class _Wire(ServerProtocol):
    """RFC 6455, and what of it means something else here."""

    def __init__(self) -> None:
        super().__init__(max_size=INBOUND_MAX)

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """Never the one that carries the token. A client that offers none is answered without one."""
        return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in subprotocols else None

    def fail(self, code: int, reason: str = "") -> None:
        """What breaks RFC 6455 breaks our protocol as well; so does a message that is too large."""
        if code in _BROKEN and self.state is State.OPEN:
            metrics.refusals.labels(int(BadFrame.code)).inc()
            code = BadFrame.code
        super().fail(code, reason)
