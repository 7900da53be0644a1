"""Owns connections that cost next to nothing, so that one process can load a whole system: HTTP and WebSocket.

They know only as much of either protocol as the systems that are measured speak.
"""

import asyncio
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

import httptools

from devstack.ports import HOST

Arrived = Callable[[bytes, float], None]
"""Takes a text frame and when it arrived, in seconds on the monotonic clock."""

GREETED_WITHIN: Final = 30.0
"""Seconds; only so that a run ends."""

TEXT: Final = 0x81
PING: Final = 0x89
SWITCHED: Final = b"HTTP/1.1 101 "
HEAD_END: Final = b"\r\n\r\n"


@dataclass(frozen=True)
class Call:
    """A request that is ready to be sent to a port."""

    port: int
    request: bytes

    @classmethod
    def of(cls, method: str, port: int, path: str, token: str, body: bytes = b"") -> "Call":
        """A request with a bearer token; a body is JSON."""
        kind = "Content-Type: application/json\r\n" if body else ""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {token}\r\n"
            f"{kind}Content-Length: {len(body)}\r\n\r\n"
        )
        return cls(port, head.encode() + body)


class Http(asyncio.Protocol):
    """One kept connection, with one request on its way at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport

    @classmethod
    async def open(cls, port: int) -> "Http":
        """A new connection."""
        _, protocol = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        return protocol

    async def send(self, request: bytes) -> bytes:
        """The body of the answer.

        Raises:
            ConnectionError: the connection ended, or the answer is no 2xx.
        """
        assert self._answer is None, "one at a time"
        self._answer = asyncio.get_running_loop().create_future()
        self._body.clear()
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer = None

    @property
    def closed(self) -> bool:
        """Whether it has ended, as servers end connections that were idle for some seconds."""
        return self._transport.is_closing()

    def close(self) -> None:
        """End it."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by its type

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the server closed the connection: {exc!r}"))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        assert self._answer is not None, "an answer to nothing"
        status, body = self._parser.get_status_code(), b"".join(self._body)
        if 200 <= status < 300:
            self._answer.set_result(body)
        else:
            self._answer.set_exception(ConnectionError(f"HTTP {status}: {body[:300]!r}"))


class Socket(asyncio.Protocol):
    """One WebSocket that answers pings and takes whole text frames. It does not check what it is told in the handshake.

    Attributes:
        greeted: done when the first frame is there.
        ended: why it is of no use any more; empty as long as all is well.
    """

    def __init__(self, request: bytes, arrived: Arrived) -> None:
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended = ""
        self._request = request
        self._arrived = arrived
        self._buffer = bytearray()
        self._switched = False
        self._transport: asyncio.Transport

    @classmethod
    async def open(cls, port: int, path: str, headers: str, arrived: Arrived) -> "Socket":
        """A socket that has been greeted. `headers` are lines of the request, each with its line end."""
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        ).encode()
        _, socket = await asyncio.get_running_loop().create_connection(lambda: cls(request, arrived), HOST, port)
        async with asyncio.timeout(GREETED_WITHIN):
            await socket.greeted
        return socket

    def close(self) -> None:
        """End it."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by its type
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        buffer = self._buffer
        buffer += data
        if not self._switched:
            end = buffer.find(HEAD_END)
            if end < 0:
                return
            if not buffer.startswith(SWITCHED):
                self._end(f"refused: {bytes(buffer[:200])!r}")
                self._transport.abort()
                return
            self._switched = True
            del buffer[: end + len(HEAD_END)]
        at = 0
        while (frame := _frame(buffer, at)) is not None:
            kind, begin, at = frame
            self._take(kind, bytes(buffer[begin:at]), now)
        del buffer[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"closed: {exc!r}")

    def _take(self, kind: int, payload: bytes, now: float) -> None:
        if kind == TEXT:
            if not self.greeted.done():
                self.greeted.set_result(None)
            self._arrived(payload, now)
        elif kind == PING:
            self._transport.write(bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
        else:
            self._end(f"a frame of kind {kind:#x}: {payload[:100]!r}")

    def _end(self, why: str) -> None:
        self.ended = self.ended or why
        if not self.greeted.done():
            self.greeted.set_exception(ConnectionError(self.ended))


def _frame(buffer: bytearray, at: int) -> tuple[int, int, int] | None:
    """The first byte, the beginning and the end of the payload of the frame at `at`; None if it is not whole."""
    if len(buffer) < at + 2:
        return None
    length, begin = buffer[at + 1], at + 2
    if length == 126:
        if len(buffer) < at + 4:
            return None
        length, begin = struct.unpack_from("!H", buffer, begin)[0], at + 4
    elif length == 127:
        if len(buffer) < at + 10:
            return None
        length, begin = struct.unpack_from("!Q", buffer, begin)[0], at + 10
    return (buffer[at], begin, begin + length) if len(buffer) >= begin + length else None
