"""Owns what this gateway tells of itself on the bus: its sockets, those that ended lately, and how far each was sent.

It is for people who look for an event. All of it is computed when somebody asks; a delivery costs nothing more.
"""

import asyncio
import datetime as dt
import json
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import nats.errors
import structlog
from nats.aio.msg import Msg

from chassis.bus import Bus
from contracts.subjects import PUSH_INSPECTION, InvalidUserId, UserId, user_id
from push_gateway.handshake import Cursor
from push_gateway.hub import Hub
from push_gateway.session import Session

log = structlog.get_logger(__name__)

ENDED_MAX = 1_000
"""Ended sockets that are remembered, of all users together: at most 1 MB."""

Json = dict[str, Any]


class Ended(NamedTuple):
    """A socket that is no more; see `Session`. Without the socket itself, which is large."""

    user: UserId
    epoch: str
    opened_at: float
    ended_at: float
    close_code: int | None
    cursor: Json | None
    anew_at: int | None
    position: int
    reached: Mapping[str, int]


class Inspection:
    """Answers whoever asks at `PUSH_INSPECTION`: `{"user": "alice"}` for one user's sockets, `{}` for the gateway."""

    name = "inspection"

    def __init__(
        self,
        bus: Bus,
        hub: Hub,
        sessions: Collection[Session],
        gateway: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`gateway` is the name by which people know this process."""
        self._bus = bus
        self._hub = hub
        self._sessions = sessions
        self._gateway = gateway
        self._clock = clock
        self._began = clock()
        self._ended: deque[Ended] = deque(maxlen=ENDED_MAX)

    async def run(self) -> None:
        """Answer until cancelled."""
        await self._bus.wait_until_connected()
        await self._bus.client.subscribe(PUSH_INSPECTION, cb=self._asked)
        await asyncio.Event().wait()

    def remember(self, session: Session) -> None:
        """A session has ended."""
        self._ended.append(
            Ended(
                session.user,
                self._hub.epoch,
                session.opened_at,
                self._clock(),
                session.connection.close_code,
                _cursor(session.cursor),
                session.anew_at,
                session.position,
                session.reached(),
            )
        )

    def answer(self, request: object) -> Json:
        """What is known of the user whom a request names, or of the gateway.

        The times are RFC 3339; the sequences belong to the history that `epoch` names.
        """
        own = {"gateway": self._gateway, "ready": self._hub.ready, "epoch": self._hub.epoch}
        match request:
            case {"user": text}:
                try:
                    user = user_id(text)
                except InvalidUserId as error:
                    return {**own, "error": str(error)}
                return {**own, **self._of(user)}
        return {
            **own,
            "sockets": len(self._sessions),
            "users": len(self._hub.users()),
            "repairing": self._hub.repairing,
            "highest_seq": self._hub.highest(),
        }

    def _of(self, user: UserId) -> Json:
        full = len(self._ended) == ENDED_MAX
        return {
            "user": user,
            "sockets": [_open(session) for session in self._sessions if session.user == user],
            "ended": [_was(ended) for ended in self._ended if ended.user == user],
            "remembers_since": _time(self._ended[0].ended_at if full else self._began),
        }

    async def _asked(self, message: Msg) -> None:
        try:
            request = json.loads(message.data or b"{}")
        except ValueError as error:
            log.warning("an inspection that cannot be read", reason=str(error))
            return
        try:
            await message.respond(json.dumps(self.answer(request)).encode())
        except nats.errors.Error as error:  # no answer is wanted, or the connection has just gone
            log.warning("an inspection cannot be answered", reason=repr(error))


def name_of(listener: socket.socket) -> str:
    """What people call this gateway: machine, port and process, of which several may share the port."""
    return f"{socket.gethostname()}:{listener.getsockname()[1]}/{os.getpid()}"


def _open(session: Session) -> Json:
    return {
        "opened_at": _time(session.opened_at),
        "came_with": _cursor(session.cursor),
        "greeted": session.greeted,
        "live": session.feed is not None,
        "anew_at": session.anew_at,
        "position": session.position,
        "reached": session.reached(),
        "unsent_bytes": session.connection.unsent,
    }


def _was(ended: Ended) -> Json:
    return {
        "opened_at": _time(ended.opened_at),
        "ended_at": _time(ended.ended_at),
        "close_code": ended.close_code,
        "epoch": ended.epoch,
        "came_with": ended.cursor,
        "anew_at": ended.anew_at,
        "position": ended.position,
        "reached": ended.reached,
    }


def _cursor(cursor: Cursor | None) -> Json | None:
    if cursor is None:
        return None
    positions = {source.decode(): seq for source, seq in cursor.positions.items()}
    return {"epoch": cursor.epoch, "since": cursor.since, "positions": positions}


def _time(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat()
