"""Owns a server of sockets that behaves as a test says: for what a gateway does only now and then, or must never do."""

import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from contracts.frames import BEARER_PREFIX, SUBPROTOCOL
from devstack.ports import HOST, free_port

EPOCH = "first"


@dataclass(frozen=True)
class Call:
    """One connection to the door.

    Attributes:
        number: of those to the same address, from 1.
        at: when it came, in seconds.
    """

    socket: ServerConnection
    number: int
    query: Mapping[str, str]
    token: str
    at: float

    async def hello(
        self, *, seq: int = 7, resumed: bool | None = None, epoch: str = EPOCH, heartbeat: int = 25
    ) -> None:
        """Greet; resumed unless this is the first call."""
        data = {"user_id": "somebody", "epoch": epoch, "heartbeat": heartbeat}
        resumed = self.number > 1 if resumed is None else resumed
        await self.send(event="hello", seq=seq, data={**data, "resumed": resumed})

    async def events(self, event: str, *sequences: int) -> None:
        """Send some."""
        for seq in sequences:
            await self.send(event=event, seq=seq, id=f"id-{seq}", data={})

    async def send(self, **frame: Any) -> None:
        """Send a frame."""
        await self.socket.send(json.dumps(frame))

    async def stay(self) -> None:
        """Keep the socket open, in silence."""
        with contextlib.suppress(ConnectionClosed):
            async for _ in self.socket:
                pass


Behaviour = Callable[[Call], Awaitable[None]]


class Door:
    """Does with each connection what its address asks for.

    Attributes:
        calls: all connections, by address.
    """

    def __init__(self, behaviours: Mapping[str, Behaviour]) -> None:
        self.calls: dict[str, list[Call]] = {name: [] for name in behaviours}
        self.port = free_port()
        self._behaviours = behaviours

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, **behaviours: Behaviour) -> AsyncIterator["Door"]:
        """An open door with these addresses."""
        door = cls(behaviours)
        offered = [Subprotocol(SUBPROTOCOL)]
        async with serve(door._answer, HOST, door.port, subprotocols=offered, compression=None, ping_interval=None):
            yield door

    def url(self, name: str) -> str:
        """The address that behaves so."""
        return f"ws://{HOST}:{self.port}/{name}"

    async def _answer(self, socket: ServerConnection) -> None:
        assert socket.request is not None, "the handshake is over"
        place = urlsplit(socket.request.path)
        name = place.path.removeprefix("/")
        token = socket.request.headers["Sec-WebSocket-Protocol"].partition(BEARER_PREFIX)[2]
        call = Call(socket, len(self.calls[name]) + 1, dict(parse_qsl(place.query)), token, time.monotonic())
        self.calls[name].append(call)
        await self._behaviours[name](call)
