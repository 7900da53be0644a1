"""Owns the client that the tests connect with, and what it records."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from contracts.frames import PATH, SUBPROTOCOL
from devstack.ports import HOST

PATIENCE = 15.0
"""Seconds that a test waits for what must happen; far more than it takes."""

Frame = dict[str, Any]


@dataclass(frozen=True)
class Closed:
    """How the gateway closed a socket."""

    code: int
    reason: str


class Client:
    """A device: records every frame. Ends with `leave`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[Frame] = []
        self.texts: list[str] = []
        self._news = asyncio.Event()
        self._recording = asyncio.create_task(self._record())

    @classmethod
    async def open(
        cls,
        port: int,
        *,
        subprotocols: Sequence[str] = (SUBPROTOCOL,),
        headers: dict[str, str] | None = None,
        origin: str | None = None,
        path: str = PATH,
        query: str = "",
    ) -> "Client":
        """Connect with exactly what is given."""
        return cls(
            await connect(
                f"ws://{HOST}:{port}{path}{query and '?'}{query}",
                subprotocols=[Subprotocol(name) for name in subprotocols] or None,
                additional_headers=headers,
                origin=Origin(origin) if origin is not None else None,
                compression=None,
                proxy=None,
                ping_interval=None,
                max_queue=None,
                max_size=None,
            )
        )

    @property
    def events(self) -> list[Frame]:
        """The event frames so far; every other kind has no id."""
        return [frame for frame in self.frames if "id" in frame]

    @property
    def seqs(self) -> list[int]:
        """The positions of the event frames so far."""
        return [frame["seq"] for frame in self.events]

    @property
    def open_still(self) -> bool:
        """Whether the gateway has not closed it."""
        return not self._recording.done()

    async def begun(self) -> None:
        """Wait until it was greeted or refused: events from then on are to reach it, or it reaches none."""
        async with asyncio.timeout(PATIENCE):
            while self.open_still and not self.frames:
                self._news.clear()
                await self._news.wait()

    async def hello(self) -> Frame:
        """The first frame, which must be a hello."""
        await self.wait(lambda: bool(self.frames))
        assert self.frames[0]["event"] == "hello", self.frames[0]
        return self.frames[0]

    async def take(self, count: int) -> list[Frame]:
        """All event frames, as soon as there are `count` of them."""
        await self.wait(lambda: len(self.events) >= count)
        return self.events

    async def first(self, kind: str) -> Frame:
        """The first frame of a kind."""
        await self.wait(lambda: any(frame["event"] == kind for frame in self.frames))
        return next(frame for frame in self.frames if frame["event"] == kind)

    async def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until the frames so far fulfil a condition."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                assert self.open_still, f"closed with {self.socket.close_code} {self.socket.close_reason}"
                self._news.clear()
                await self._news.wait()

    async def closed(self) -> Closed:
        """How it ends."""
        async with asyncio.timeout(PATIENCE):
            await self._recording
        assert self.socket.close_code is not None, "the recording ends with the socket"
        return Closed(self.socket.close_code, self.socket.close_reason or "")

    async def leave(self) -> None:
        """Close it and wait until it is closed."""
        await self.socket.close()
        await self._recording

    async def _record(self) -> None:
        try:
            async for message in self.socket:
                assert isinstance(message, str), "every frame is text"
                self.texts.append(message)
                self.frames.append(json.loads(message))
                self._news.set()
        except ConnectionClosed:
            pass
        finally:
            self._news.set()
