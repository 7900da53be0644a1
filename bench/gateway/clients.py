"""Owns WebSocket clients that cost next to nothing, so that thousands fit beside the gateway that they load.

They look for sequences in what arrives and parse no JSON: 1 us or so for an event.
"""

import asyncio
import re
import time
from array import array
from typing import Final

from contracts.frames import PATH
from devstack.ports import HOST

_EVENT: Final = re.compile(rb'"seq":(\d+),"id":')
"""What only the frame of an event has."""

_HELLO: Final = b'{"event":"hello"'
_NOT_WHOLE: Final = (b'"resumed":false', b'{"event":"resync"')

KEPT: Final = 64
"""Bytes of what has arrived that are looked at again, as they may be the beginning of a match."""


class Client(asyncio.Protocol):
    """One socket. It never answers and is never closed by itself.

    Attributes:
        sequences: of the events that it was sent, in order.
        greeted_at: when it was greeted, in seconds on the monotonic clock; 0 before.
        ended: why it is of no use any more; empty as long as all is well.
    """

    def __init__(self, token: str, *, query: str = "") -> None:
        self.sequences = array("Q")
        self.greeted_at = 0.0
        self.ended = ""
        self._request = (
            f"GET {PATH}{query and '?'}{query} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()
        self._bad = _NOT_WHOLE if query else ()
        self._rest = b""
        self._waiters: list[tuple[int, asyncio.Future[float]]] = []
        self.transport: asyncio.Transport

    async def connect(self, port: int) -> None:
        """Open the socket; returns when it is greeted.

        Raises:
            ConnectionError: it was not.
        """
        loop = asyncio.get_running_loop()
        greeted = self.until(0)
        self.transport, _ = await loop.create_connection(lambda: self, HOST, port)
        self.transport.write(self._request)
        self.greeted_at = await greeted

    def until(self, events: int) -> asyncio.Future[float]:
        """When it has been sent so many events, on the monotonic clock; a ConnectionError if that never comes."""
        waiter: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        if self.ended:
            waiter.set_exception(ConnectionError(self.ended))
        else:
            self._waiters.append((events, waiter))
            self._look(time.monotonic())
        return waiter

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        data = self._rest + data
        if not self.greeted_at and _HELLO in data:
            self.greeted_at = now
        if any(bad in data for bad in self._bad):
            self._end("told to fetch its state anew")
        end = 0
        for match in _EVENT.finditer(data):
            self.sequences.append(int(match[1]))
            end = match.end()
        self._rest = data[max(end, len(data) - KEPT) :]
        self._look(now)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"closed: {exc!r}, after {bytes(self._rest[-KEPT:])!r}")

    def _look(self, now: float) -> None:
        if not self._waiters or not self.greeted_at:
            return
        for number, waiter in self._waiters:
            if len(self.sequences) >= number and not waiter.done():
                waiter.set_result(now)
        self._waiters = [(number, waiter) for number, waiter in self._waiters if not waiter.done()]

    def _end(self, why: str) -> None:
        self.ended = self.ended or why
        for _, waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(ConnectionError(self.ended))
        self._waiters = []
