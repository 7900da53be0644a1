"""Owns a client that need not behave: it speaks TCP, and everything else only as it is told."""

import asyncio
import json
import secrets
import socket
import struct

import psutil

from contracts.frames import PATH
from devstack.ports import HOST
from tests.push_gateway.clients import PATIENCE, Frame


class RawClient:
    """A TCP connection that has asked for a socket and from then on does only what it is told: it may never read."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()
        self._taken = 0

    @classmethod
    async def open(cls, port: int, *, token: str, query: str = "", early: bytes = b"") -> "RawClient":
        """Get a socket, and read no further than the handshake; `early` is sent before the answer is there."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (HOST, port))
        request = (
            f"GET {PATH}{query and '?'}{query} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        )
        await loop.sock_sendall(connection, request.encode() + early)
        client = cls(connection)
        if not early:
            await client._read_handshake()
        return client

    async def _read_handshake(self) -> None:
        head = b""
        async with asyncio.timeout(PATIENCE):
            while not head.endswith(b"\r\n\r\n"):
                head += await asyncio.get_running_loop().sock_recv(self._connection, 1)
        assert head.startswith(b"HTTP/1.1 101 ")

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self._connection, data)

    async def read_to_end(self) -> bytes:
        """Everything that the gateway sent, up to the end of the connection; it may have been cut."""
        received = bytearray()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    part = await loop.sock_recv(self._connection, 65_536)
                except ConnectionResetError:
                    return bytes(received)
                if not part:
                    return bytes(received)
                received += part

    async def texts(self, count: int) -> list[Frame]:
        """The next `count` frames, read as slowly as they are asked for."""
        frames: list[Frame] = []
        async with asyncio.timeout(PATIENCE):
            while len(frames) < count:
                opcode, size = await self._exactly(2)
                assert opcode == 0x81, "a whole text"
                if size == 126:
                    [size] = struct.unpack("!H", await self._exactly(2))
                elif size == 127:
                    [size] = struct.unpack("!Q", await self._exactly(8))
                frames.append(json.loads(await self._exactly(size)))
        return frames

    async def texts_until(self, seq: int) -> list[Frame]:
        """The frames up to the event at `seq`."""
        frames: list[Frame] = []
        while not frames or frames[-1]["seq"] != seq or "id" not in frames[-1]:
            frames += await self.texts(1)
        return frames

    async def _exactly(self, size: int) -> bytes:
        while len(self._received) - self._taken < size:
            del self._received[: self._taken]
            self._taken = 0
            part = await asyncio.get_running_loop().sock_recv(self._connection, 65_536)
            assert part, "the gateway has hung up"
            self._received += part
        self._taken += size
        return bytes(self._received[self._taken - size : self._taken])

    def is_cut(self) -> bool:
        """Whether the gateway, which runs in this process, has let go of its end; nothing is read or sent for that."""
        here = self._connection.getsockname()
        return all(connection.raddr != here for connection in psutil.Process().net_connections("tcp"))

    def leave(self) -> None:
        """Vanish."""
        self._connection.close()


def frame_bytes(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A frame from a client as it stands on the wire (RFC 6455 section 5.2)."""
    mask = secrets.token_bytes(4)
    match len(payload):
        case size if size < 126:
            length = bytes([0x80 | size])
        case size if size < 65_536:
            length = bytes([0x80 | 126]) + struct.pack("!H", size)
        case size:
            length = bytes([0x80 | 127]) + struct.pack("!Q", size)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes([(0x80 if fin else 0) | opcode]) + length + mask + masked


def text_of(encoded: bytes) -> bytes:
    """The text in a message of a server that is one frame."""
    assert encoded[0] == 0x81, "final, text"
    size, start = encoded[1], 2
    if size >= 126:
        start = 4 if size == 126 else 10
        size = int.from_bytes(encoded[2:start])
    assert len(encoded) == start + size
    return encoded[start:]


def closed_with(code: int, received: bytes) -> bool:
    """Whether what a raw client received ends in a close frame of the gateway with this code."""
    position = received.rfind(b"\x88", -(2 + 125))  # its head, and what a control frame can carry
    return position >= 0 and received[position + 2 : position + 4] == code.to_bytes(2, "big")
