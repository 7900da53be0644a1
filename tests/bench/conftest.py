"""A small WebSocket server that may lie, so that the load generator can be seen to find it out."""

import asyncio
import contextlib
import http
import re
import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from bench.push.contender import Opening, Publishing, cores
from bench.push.generator import Generator, generating
from devstack.ports import HOST

GREETING: Final = "welcome"

_LENGTH: Final = re.compile(rb"Content-Length: (\d+)")
_MARK: Final = re.compile(rb"~(\d{6})\.(\d{10})\.(\d{16})~")

Deed = Callable[["Server", ServerConnection, str], Sequence[str | Sequence[str]]]
"""What a server sends to a socket instead of the message that it should; one in parts goes in so many frames."""


class Server:
    """Sends each line `user body` that it is told to the sockets of that user, or what `deed` makes of it.

    Attributes:
        deed: done instead of sending, for each socket.
        texts: what clients have said.
        pongs: payloads of the answers to pings.
        delays: seconds from the publisher's stamp until a frame was handed to the socket.
        users: the names of the events' users, in the order in which they were told.
    """

    def __init__(self) -> None:
        self.deed: Deed | None = None
        self.sockets: dict[str, list[ServerConnection]] = defaultdict(list)
        self.texts: list[str] = []
        self.delays: list[float] = []
        self.users: list[str] = []
        self.history: dict[str, list[str]] = defaultdict(list)
        self.headers: list[str] = []
        self.answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok"  # to an event that is posted
        self.port = self.lines_port = self.posts_port = 0
        self.full = 0  # how many it refuses, after the handshake

    async def handle(self, socket: ServerConnection) -> None:
        assert socket.request is not None, "the handshake is over"
        _, user, had = socket.request.path.split("/")
        self.headers.append(socket.request.headers.get("X-Token", ""))
        if self.full > 0:
            self.full -= 1
            await socket.close(CloseCode.TRY_AGAIN_LATER, "come back")
            return
        await socket.send(GREETING)
        for frame in self.history[user][int(had) :]:
            await socket.send(frame)
        self.sockets[user].append(socket)
        try:
            with contextlib.suppress(ConnectionClosed):
                async for text in socket:
                    self.texts.append(str(text))
        finally:
            self.sockets[user].remove(socket)

    async def take_lines(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while line := await reader.readline():
                user, _, body = line.rstrip(b"\n").partition(b" ")
                await self.deliver(user.decode(), body.decode())

    async def take_posts(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = _LENGTH.search(head)
                assert length is not None, "the length of the body"
                body = await reader.readexactly(int(length[1]))
                await self.deliver(head.split(b" ")[1].decode().removeprefix("/"), body.decode())
                writer.write(self.answer)

    async def deliver(self, user: str, body: str) -> None:
        self.users.append(user)
        self.history[user].append(body)
        mark = _MARK.search(body.encode())
        assert mark is not None, "each event has one"
        for socket in list(self.sockets[user]):
            for frame in self.deed(self, socket, body) if self.deed is not None else [body]:
                with contextlib.suppress(ConnectionClosed):
                    await socket.send(frame)
            self.delays.append(time.monotonic() - int(mark[3]) / 1e9)

    async def hang_up(self) -> None:
        """Close one socket."""
        await next(iter(sockets[0] for sockets in self.sockets.values() if sockets)).close(CloseCode.GOING_AWAY)

    async def ping(self) -> None:
        """Ping all sockets, by the protocol and by a message, and wait for the protocol's answers."""
        for socket in [socket for sockets in self.sockets.values() for socket in sockets]:
            await socket.send("are you there?")
            await (await socket.ping(b"a ping"))


@contextlib.asynccontextmanager
async def _serving(server: Server) -> AsyncIterator[None]:
    def refuse(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(http.HTTPStatus.FORBIDDEN, "no\n") if "refused" in request.path else None

    lines = await asyncio.start_server(server.take_lines, HOST, 0)
    posts = await asyncio.start_server(server.take_posts, HOST, 0)
    async with serve(server.handle, HOST, 0, compression=None, process_request=refuse) as sockets, lines, posts:
        server.port = sockets.sockets[0].getsockname()[1]
        server.lines_port = lines.sockets[0].getsockname()[1]
        server.posts_port = posts.sockets[0].getsockname()[1]
        yield


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """An honest one, until it is given a deed."""
    if shutil.which("cc") is None:
        pytest.skip("the load generator needs a C compiler")
    server = Server()
    async with _serving(server):
        yield server


Generate = Callable[..., contextlib.AbstractAsyncContextManager[Generator]]


@pytest.fixture
def generate(server: Server) -> Generate:
    """Makes a load generator for the server: `async with generate(users=3, devices=2) as generator`."""

    def make(
        *, users: int = 3, devices: int = 1, path: str = "/{user}/0", messages: Sequence[str] = (), posted: bool = False
    ) -> contextlib.AbstractAsyncContextManager[Generator]:
        def opening(path: str) -> Opening:
            return Opening(
                server.port, path, GREETING, ["X-Token: {token}"], messages, ping="are you there?", pong="yes"
            )

        return generating(
            opening(path),
            Publishing("http", server.posts_port, "/{user}", connections=2)
            if posted
            else Publishing("lines", server.lines_port, "{user}"),
            tokens=[f"token-{number}" for number in range(users)],
            devices=devices,
            cpu=cores()[1],
            again=opening("/{user}/{last}"),
            patience=1,
        )

    return make
