"""Owns letting clients in one after another, however many come at once."""

import asyncio
from collections import deque


class Admission:
    """A door for one: each turn of the event loop lets one client in.

    To greet a client takes a millisecond or so; thousands that come together after a restart would otherwise hold up
    what is live for seconds. So live events wait for one greeting at most, and an idle loop greets as fast as it can.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._open = False

    async def turn(self) -> None:
        """Wait for one's turn."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if not self._open:
            self._open = True
            loop.call_soon(self._next)
        await turn

    def _next(self) -> None:
        while self._waiting and self._waiting[0].done():  # it has gone
            self._waiting.popleft()
        if self._waiting:
            self._waiting.popleft().set_result(None)
        self._open = bool(self._waiting)
        if self._open:
            asyncio.get_running_loop().call_soon(self._next)
