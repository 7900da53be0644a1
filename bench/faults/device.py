"""Owns a device: a client that follows the protocol to the letter and records every frame that it is sent."""

import asyncio
import contextlib
import json
import random
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from bench.faults.run import DeviceRun, Fetched, Frame, Received, Record, UserState
from contracts.frames import BEARER_PREFIX, SUBPROTOCOL, CloseCode
from contracts.subjects import SOURCES, source_of

BACKOFF = 0.2
BACKOFF_MAX = 3.0
"""Seconds: the first wait before coming back, and the longest; each is drawn from zero up to it ("full jitter")."""

OPEN_TIMEOUT = 4.0
"""Seconds for a handshake."""

STOP = {CloseCode.PROTOCOL_BROKEN, CloseCode.NOT_ALLOWED}

Fetch = Callable[[str], Awaitable[UserState]]


class Refused(Exception):
    """The gateway told the device to stop. No device of ours gives reason to."""


class Device:
    """One device of one user.

    Attributes:
        records: all that it was sent and fetched.
        connections: how often it was connected.
        synced: whether it has fetched its state since it was told to.
        forged: the query with which it connects next, once, in place of what it knows.
    """

    def __init__(self, name: str, user: str, token: str, urls: list[str], fetch: Fetch, chance: random.Random) -> None:
        self.name = name
        self.user = user
        self.records: list[Record] = []
        self.connections = 0
        self.synced = asyncio.Event()
        self.forged: Mapping[str, str | int] | None = None
        self._token = token
        self._urls = urls
        self._fetch = fetch
        self._chance = chance
        self._epoch: str | None = None
        self._positions: dict[str, int] = {}
        self._socket: ClientConnection | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._at_home = asyncio.Event()
        self._at_home.set()

    @property
    def cursor(self) -> Mapping[str, str | int]:
        """The query with which it resumes; empty before it was greeted for the first time."""
        if self._epoch is None:
            return {}
        return {"epoch": self._epoch, "since": max(self._positions.values()), **self._positions}

    @property
    def run_so_far(self) -> DeviceRun:
        """What has happened to it."""
        return DeviceRun(self.name, self.user, self.records)

    @property
    def handle(self) -> socket.socket | None:
        """The socket of its connection, if it has one now."""
        return self._socket.transport.get_extra_info("socket") if self._socket is not None else None

    async def run(self) -> None:
        """Be connected, and come back whenever that ends, until cancelled."""
        failures = 0
        try:
            while True:
                await self._at_home.wait()
                before = self.connections
                wait = await self._connected()
                failures = failures + 1 if self.connections == before else 0
                await asyncio.sleep(wait + self._chance.uniform(0, min(BACKOFF_MAX, BACKOFF * 2**failures)))
        finally:
            if self._fetching is not None:
                self._fetching.cancel()

    def cut(self) -> None:
        """Lose the connection without a closing handshake."""
        if self._socket is not None:
            self._socket.transport.abort()

    def leave(self) -> None:
        """Be away until `come_back`."""
        self._at_home.clear()
        self.cut()

    def come_back(self) -> None:
        """Be away no longer."""
        self._at_home.set()

    async def _connected(self) -> float:
        """One connection, from its start to its end; returns the seconds that we were told to stay away."""
        url = self._chance.choice(self._urls)
        if query := self.cursor if self.forged is None else self.forged:
            url += f"?{urlencode(query)}"
        protocols = [Subprotocol(SUBPROTOCOL), Subprotocol(f"{BEARER_PREFIX}{self._token}")]
        try:
            async with connect(
                url, subprotocols=protocols, compression=None, proxy=None, open_timeout=OPEN_TIMEOUT,
                close_timeout=1, ping_interval=None, max_queue=None,
            ) as socket:  # fmt: skip
                self._socket = socket
                self.connections += 1
                self.forged = None
                await self._listen(socket)
        except ConnectionClosed as closed:
            return self._advice(closed)
        except (OSError, WebSocketException, EOFError):  # nobody there, or gone in the handshake; includes TimeoutError
            return 0.0
        finally:
            self._socket = None
        return 0.0

    async def _listen(self, socket: ClientConnection) -> None:
        patience = OPEN_TIMEOUT
        while True:
            try:
                async with asyncio.timeout(patience):
                    text = await socket.recv(decode=True)
            except TimeoutError:  # two heartbeats did not come: whoever is there is not alive
                socket.transport.abort()
                return
            frame: Frame = json.loads(text)
            self.records.append(Received(time.time(), self.connections, frame))
            match frame["event"]:
                case "hello":
                    patience = 2.0 * frame["data"]["heartbeat"]
                    if not frame["data"]["resumed"]:
                        self._begin_at(frame["data"]["epoch"], frame["seq"])
                case "resync":
                    self._begin_at(frame["data"].get("epoch", self._epoch), frame["seq"])
                case "heartbeat":
                    self._positions = {source: max(at, frame["whole"]) for source, at in self._positions.items()}
                case name:
                    self._positions[source_of(name)] = frame["seq"]

    def _begin_at(self, epoch: str | None, seq: int) -> None:
        """Have everything up to `seq` by fetching it, and follow from there."""
        self._epoch, self._positions = epoch, dict.fromkeys(SOURCES, seq)
        self._fetch_anew()

    def _fetch_anew(self) -> None:
        """Fetch the state, however long that takes; a later reason to fetch makes an earlier one needless."""
        if self._fetching is not None:
            self._fetching.cancel()
        self.synced.clear()
        self._fetching = asyncio.create_task(self._fetch_until_done(len(self.records)), name=f"{self.name} fetches")

    async def _fetch_until_done(self, began: int) -> None:
        asked = time.time()
        while True:
            with contextlib.suppress(Unfetched):
                state = await self._fetch(self.user)
                break
            await asyncio.sleep(self._chance.uniform(0, 0.5))
            asked = time.time()
        self.records.append(Fetched(began, asked, time.time(), state))
        self.synced.set()

    def _advice(self, closed: ConnectionClosed) -> float:
        if closed.rcvd is None:
            return 0.0
        if closed.rcvd.code in STOP:
            raise Refused(f"{self.name}: {closed.rcvd.code} {closed.rcvd.reason}")
        if closed.rcvd.code == CloseCode.TOO_MANY:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                return float(json.loads(closed.rcvd.reason)["retry_after"])
        return 0.0


class Unfetched(Exception):
    """The services did not answer with the state."""
