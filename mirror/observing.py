"""Owns watching: a socket of a user on either side, and what it delivered, when.

The new side resumes after a break as a client does; the old side cannot, and what it misses meanwhile it misses.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from contracts.frames import BEARER_PREFIX, SUBPROTOCOL, CloseCode
from mirror.comparing import SIDES, Hearing, Sending, Side, identity
from mirror.errors import SideRefused
from mirror.handover import Sent

log = structlog.get_logger(__name__)

AGAIN: Final = 0.5
"""Seconds before a socket that was cut is opened again."""

FOR_GOOD: Final = {CloseCode.PROTOCOL_BROKEN, CloseCode.TOKEN_REFUSED, CloseCode.NOT_ALLOWED}
"""Close codes after which coming back with the same token is in vain."""

TOKEN: Final = "{token}"  # noqa: S105 - where it stands
"""What is replaced by a user's token in the old side's URL."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Watched:
    """A user who is watched, and the tokens by which either side knows who it is."""

    user: str
    tokens: Mapping[Side, str]


@dataclass(slots=True)
class Record:
    """What was sent to one user, and what either side delivered; and how often each socket was cut."""

    sent: list[Sending] = field(default_factory=list)
    heard: dict[Side, list[Hearing]] = field(default_factory=lambda: {side: [] for side in SIDES})
    cuts: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))


class Observer:
    """Watches some users. Their data are held in memory until the report."""

    def __init__(
        self, watched: Collection[Watched], urls: Mapping[Side, str], *, ignored: Collection[str], clock: Clock
    ) -> None:
        """`ignored` are frames of the old side that are no events, such as its greeting."""
        self.records = {each.user: Record() for each in watched}
        self._watched = watched
        self._urls = urls
        self._ignored = ignored
        self._clock = clock
        self._opened = {(each.user, side): asyncio.Event() for each in watched for side in SIDES}

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            SideRefused: a side does not let somebody in.
        """
        async with asyncio.TaskGroup() as group:
            for each in self._watched:
                group.create_task(self._old(each), name=f"{each.user}'s socket on the old side")
                group.create_task(self._new(each), name=f"{each.user}'s socket on the new side")

    async def opened(self) -> None:
        """Wait until everybody has been greeted on both sides."""
        for event in self._opened.values():
            await event.wait()

    def told(self, event_id: str, noted: int, sent: Sent) -> None:
        """What the mirror has learned of, which may be addressed to somebody who is not watched."""
        if (record := self.records.get(sent.user)) is not None:
            record.sent.append(Sending(event_id, identity(sent.event, sent.data), noted, self._clock()))

    async def _old(self, watched: Watched) -> None:
        url = self._urls["old"].replace(TOKEN, quote(watched.tokens["old"]))
        while True:
            await self._listen(watched, "old", url, (), self._take_old)

    async def _new(self, watched: Watched) -> None:
        cursor: dict[str, Any] = {}
        protocols = (Subprotocol(SUBPROTOCOL), Subprotocol(f"{BEARER_PREFIX}{watched.tokens['new']}"))

        def take(user: str, frame: dict[str, Any]) -> None:
            cursor["since"] = frame["seq"]
            if epoch := (frame.get("data") or {}).get("epoch") if "id" not in frame else None:
                cursor["epoch"] = epoch
            if "id" in frame:
                self._note(user, "new", frame)

        while True:
            query = f"?{urlencode(cursor)}" if cursor else ""
            await self._listen(watched, "new", f"{self._urls['new']}{query}", protocols, take)

    async def _listen(
        self,
        watched: Watched,
        side: Side,
        url: str,
        protocols: Collection[Subprotocol],
        take: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """One socket, from its opening to its end."""
        try:
            async with connect(url, subprotocols=list(protocols) or None, proxy=None, max_size=None) as socket:
                if side == "old" and not self._ignored:  # without a greeting there is nothing to wait for
                    self._opened[watched.user, side].set()
                with contextlib.suppress(ConnectionClosed):
                    async for text in socket:
                        take(watched.user, json.loads(text))
                        self._opened[watched.user, side].set()
            if socket.close_code in FOR_GOOD:
                raise SideRefused(f"the {side} side refuses {watched.user}: {socket.close_code} {socket.close_reason}")
        except (OSError, InvalidHandshake) as error:  # OSError includes TimeoutError
            log.warning("no socket", user=watched.user, side=side, reason=repr(error))
        self.records[watched.user].cuts[side] += 1
        await asyncio.sleep(AGAIN)

    def _take_old(self, user: str, frame: dict[str, Any]) -> None:
        if frame["event"] not in self._ignored:
            self._note(user, "old", frame)

    def _note(self, user: str, side: Side, frame: dict[str, Any]) -> None:
        self.records[user].heard[side].append(Hearing(identity(frame["event"], frame["data"]), self._clock()))
