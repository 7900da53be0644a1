"""Owns a device: a plain WebSocket client of one user, which records every frame that it is sent."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from contracts.frames import BEARER_PREFIX, SUBPROTOCOL

PATIENCE = 30.0
"""Seconds that a test waits for what must happen: far more than it takes, also while the machine does other things."""

Frame = dict[str, Any]


class Device:
    """One open window of a user.

    Attributes:
        frames: every frame so far.
        judged: how many of them a test has accounted for; see `System.heard`.
    """

    def __init__(self, user: str, socket: ClientConnection) -> None:
        self.user = user
        self.frames: list[Frame] = []
        self.judged = 0
        self._socket = socket
        self._news = asyncio.Event()
        self._recording = asyncio.create_task(self._record(), name=f"{user}'s device")

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, url: str, user: str, token: str, **cursor: str | int) -> AsyncIterator["Device"]:
        """A device that has been greeted. When it leaves, it must have got everything in order and once."""
        query = f"?{urlencode(cursor)}" if cursor else ""
        subprotocols = [Subprotocol(SUBPROTOCOL), Subprotocol(f"{BEARER_PREFIX}{token}")]
        async with connect(f"{url}{query}", subprotocols=subprotocols, compression=None, proxy=None) as socket:
            device = cls(user, socket)
            try:
                await device.until(lambda: bool(device.frames))
                assert device.hello["event"] == "hello"
                yield device
            finally:
                await socket.close()
                await device._recording
        sequences, ids = [event["seq"] for event in device.events], [event["id"] for event in device.events]
        assert sequences == sorted(set(sequences)), f"{user} got events out of order"
        assert len(ids) == len(set(ids)), f"{user} got an event twice"

    @property
    def hello(self) -> Frame:
        """The first frame."""
        return self.frames[0]

    @property
    def open_still(self) -> bool:
        """Whether the gateway has not closed it."""
        return not self._recording.done()

    @property
    def cursor(self) -> dict[str, str | int]:
        """What a client remembers, to resume from here."""
        return {"epoch": self.hello["data"]["epoch"], "since": self.frames[-1]["seq"]}

    @property
    def events(self) -> list[Frame]:
        """The event frames so far; no other frame has an id."""
        return [frame for frame in self.frames if "id" in frame]

    async def event(self, name: str, **data: Any) -> Frame:
        """The first event, not yet accounted for, with this name and among others these data, when it is there."""

        def matching() -> list[Frame]:
            fresh = (frame for frame in self.frames[self.judged :] if frame["event"] == name)
            return [frame for frame in fresh if data.items() <= frame["data"].items()]

        await self.until(lambda: bool(matching()), what=f"{name} with {data}")
        return matching()[0]

    async def closed(self) -> int:
        """The code with which the gateway closes it."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.shield(self._recording)
        assert self._socket.close_code is not None, "the recording ends with the socket"
        return self._socket.close_code

    async def until(self, condition: Callable[[], bool], *, what: str = "what it waits for") -> None:
        """Wait until a condition on the frames holds."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    assert not self._recording.done(), f"closed: {self._socket.close_code} {self._socket.close_reason}"
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{self.user} has not got {what}, only {self.frames}") from None

    async def _record(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self._socket:
                assert isinstance(message, str), "every frame is text"
                self.frames.append(json.loads(message))
                self._news.set()
        self._news.set()


def names(frames: list[Frame]) -> list[str]:
    """What the frames are called."""
    return [frame["event"] for frame in frames]
