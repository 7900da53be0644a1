"""Owns the sockets of everybody, and waiting for frames. A frame is known by its user, its event and its number.

The number stands as `#00000042#` in the text of an answer or in the body of an item, and so in every frame about it.
"""

import asyncio
import re
from collections.abc import Collection, Mapping
from typing import Final

from bench.job.wire import Socket

Key = tuple[str, str, int]
"""A frame: whose socket it is for, the event's name, the number."""

DEADLINE: Final = 30.0
"""Seconds for the frames of one request; only so that a system that loses one ends the run."""

_EVENT: Final = re.compile(rb'"event": ?"([a-z_:]+)"')
_NUMBER: Final = re.compile(rb"#(\d{8})#")


def marked(number: int) -> str:
    """The number as it stands in a text."""
    return f"#{number:08d}#"


class Expected:
    """Frames that somebody waits for.

    Attributes:
        arrived: when each came first, in seconds on the monotonic clock.
    """

    def __init__(self, keys: Collection[Key]) -> None:
        self.arrived: dict[Key, float] = {}
        self._missing = set(keys)
        self._all: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, key: Key, now: float) -> None:
        """One of them is there."""
        self.arrived[key] = now
        self._missing.discard(key)
        if not self._missing and not self._all.done():
            self._all.set_result(None)

    async def all(self) -> Mapping[Key, float]:
        """Wait until all are there.

        Raises:
            TimeoutError: some are not; the message names one.
        """
        try:
            async with asyncio.timeout(DEADLINE):
                await self._all
        except TimeoutError:
            raise TimeoutError(f"{len(self._missing)} frames did not come, among them {min(self._missing)}") from None
        return self.arrived


class Crowd:
    """One socket a user.

    Attributes:
        strays: frames with a number that belongs to somebody else: there must be none.
    """

    def __init__(self) -> None:
        self.strays = 0
        self._sockets: list[Socket] = []
        self._expected: dict[Key, Expected] = {}
        self._owners: dict[int, set[str]] = {}

    async def join(self, user: str, port: int, path: str, headers: str) -> None:
        """Open the socket of `user`."""

        def arrived(frame: bytes, now: float) -> None:
            self._arrived(user, frame, now)

        self._sockets.append(await Socket.open(port, path, headers, arrived))

    def expect(self, keys: Collection[Key]) -> Expected:
        """Begin to wait for these frames; none of them may have been sent yet."""
        expected = Expected(keys)
        for key in keys:
            self._expected[key] = expected
            self._owners.setdefault(key[2], set()).add(key[0])
        return expected

    def check(self) -> None:
        """Whether all sockets are still open and nobody got what is not theirs.

        Raises:
            ConnectionError: no.
        """
        ended = [socket.ended for socket in self._sockets if socket.ended]
        if ended or self.strays:
            raise ConnectionError(f"{self.strays} frames for others; {len(ended)} sockets ended: {ended[:1]}")

    def leave(self) -> None:
        """Close all sockets."""
        for socket in self._sockets:
            socket.close()

    def _arrived(self, user: str, frame: bytes, now: float) -> None:
        event, number = _EVENT.search(frame), _NUMBER.search(frame)
        if event is None or number is None:
            return  # a greeting, a heartbeat, a count
        key = (user, event[1].decode(), int(number[1]))
        expected = self._expected.pop(key, None)
        if expected is not None:
            expected.take(key, now)
        elif user not in self._owners.get(key[2], {user}):
            self.strays += 1
