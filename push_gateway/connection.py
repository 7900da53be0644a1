"""Owns one connection from a client: what may come in on it, and that it is gone soon after it was refused.

What `websockets` leaves open: it closes without waiting only for clients that read, bounds how large a message is but
not how many frames come, and lets a client that neither answers a close nor hangs up stay for ever.
"""

import asyncio
import socket
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode, Frame
from websockets.protocol import Event, State

from push_gateway import metrics
from push_gateway.errors import BadFrame, Refusal, TooMany

CLOSE_TIMEOUT = 2.0
"""Seconds for the closing handshake; then the connection is cut."""

USER_TIMEOUT = 60_000
"""Milliseconds after which the kernel gives up on a peer that acknowledges nothing; heartbeats keep it busy."""

SEND_BUFFER = 64 * 1024
"""Bytes that the kernel may hold for a client, which counts double; by itself it would hold up to 4 MiB for each that
does not read. It bounds the rate to a client that is far away: some 300 KiB/s, 800 events, at 200 ms there and back."""

FRAMES_MAX = 30
FRAMES_WINDOW = 60.0
"""Frames from a client in so many seconds, pings and parts of messages included. A token is renewed once in many
minutes; a client that pings does so every 20 s or so. Each ping costs an answer, whether that is read or not."""

_OPEN = State.OPEN  # a member of an enumeration is looked up by a descriptor, for each frame

_BROKEN = frozenset({CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG})


class PushConnection(ServerConnection):
    """A connection that can be refused at any time, at once."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._window_end = 0.0
        self._frames_in_window = 0
        self._cut: asyncio.TimerHandle | None = None
        self._fail = self.protocol.fail
        self.protocol.fail = self._broken  # type: ignore[method-assign]

    @property
    def unsent(self) -> int:
        """Bytes that wait in this process for the client to take them."""
        return self.transport.get_write_buffer_size()

    def write(self, encoded: bytes) -> bool:
        """Send frames as they go over the wire, without waiting for anything.

        Whether some have to wait for the client to take what was sent before.
        """
        if self.protocol.state is _OPEN:
            self.transport.write(encoded)
        return self.paused

    def refuse(self, refusal: Refusal) -> None:
        """Say why and hang up, without waiting for the client; nothing that it sends is looked at any more."""
        if self.protocol.state is State.OPEN:
            metrics.refusals.labels(int(refusal.code)).inc()
            self._fail(refusal.code, refusal.reason)
            self.send_data()
            self._cut_soon()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer: socket.socket = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.protocol.state is State.CLOSING:
            self._cut_soon()

    def process_event(self, event: Event) -> None:
        super().process_event(event)
        if isinstance(event, Frame) and self._too_often(self.loop.time()):
            self.refuse(TooMany("too many frames", retry_after=int(FRAMES_WINDOW)))

    def _too_often(self, now: float) -> bool:
        if now >= self._window_end:
            self._window_end, self._frames_in_window = now + FRAMES_WINDOW, 0
        self._frames_in_window += 1
        return self._frames_in_window > FRAMES_MAX

    def _broken(self, code: int, reason: str = "") -> None:
        """What breaks RFC 6455 breaks our protocol as well; so does a message that is too large."""
        if code in _BROKEN and self.protocol.state is State.OPEN:
            metrics.refusals.labels(int(BadFrame.code)).inc()
            code = BadFrame.code
        self._fail(code, reason)

    def _cut_soon(self) -> None:
        if self._cut is None:
            self._cut = self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)
