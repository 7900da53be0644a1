"""Owns what a contender is: servers that can be started, and how a client opens a socket and an event is published.

The load generator knows no contender. It is told texts with blanks in them, `{user}` and the like, that it fills in
for each socket and each event, and it finds its own events in what arrives by the mark that stands in their bodies.
"""

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

BODY: Final = (
    '{"id":"{id}","recipient_id":"{user}","sender_id":null,"kind":"notice","title":"A notice",'
    '"body":"{mark} and some words","data":{},"is_read":false,"created_at":"2026-01-01T00:00:00Z"}'
)
"""An event as everybody is given it: JSON of some 230 bytes. Where a contender wraps it, it must not be altered."""


Cores = int | str
"""A core by its number; or several, with commas between them."""


@dataclass(frozen=True)
class Opening:
    """How a client opens a socket, and what it does besides reading.

    In `path`, `headers` and `messages` the blanks `{user}` (its name), `{token}` (what `Contender.token` gave for the
    user), `{last}` (the number of the last event that this socket has, 0 before the first: each user's events are
    numbered from 1) and `{events}` (how many had been published to all users together when the sockets were closed, 0
    before) are filled in.

    Attributes:
        path: of the request, with its query.
        greeting: part of the message that says that the socket is open and subscribed.
        headers: lines of the request, without line ends, beyond those of every WebSocket handshake.
        messages: text messages that the client sends as soon as it has the answer to the handshake.
        ping: a text message of the server, to the letter, that must be answered.
        pong: the answer.
    """

    port: int
    path: str
    greeting: str
    headers: Sequence[str] = ()
    messages: Sequence[str] = ()
    ping: str = ""
    pong: str = ""


@dataclass(frozen=True)
class Publishing:
    """How an event is published.

    In `address`, `headers` and `body` the blanks `{user}`, `{mark}` (exactly once, in the body: digits, dots and `~`,
    which need no escape) and `{id}` (16 digits, another for each event) are filled in.

    Attributes:
        kind: `nats`: a message of core NATS, without waiting for anything. `jetstream`: as a relay does it: what is
            due goes as an atomic batch of at most 500, below 8 one by one, and the next once these are acknowledged.
            `http`: a POST that must be answered with a 2xx, one at a time on each of `connections`; the events of one
            user always go on the same. `lines`: `address`, a blank, `body` and a line end on one TCP connection to a
            publisher that the contender brings; it runs where the load generator does, so it costs the contender
            nothing, and it takes as many lines at once as it likes.
        address: the subject, or the path of the POST; for `lines` what the publisher needs to know.
        headers: lines `Name: value`; for `http` beyond Host and Content-Length.
    """

    kind: Literal["nats", "jetstream", "http", "lines"]
    port: int
    address: str
    body: str = BODY
    headers: Sequence[str] = ()
    connections: int = 64


class Contender(Protocol):
    """A way of pushing. It is started anew for each part of a round: what it stores may be kept in memory or in a
    folder of its own, and is gone with `stop`."""

    name: str
    """In tables and on the command line."""

    what: str
    """One line for the table: what it is and how it was set up."""

    def available(self) -> str | None:
        """Why it cannot be started here; None if it can."""

    def version(self) -> str:
        """Of the programs that matter, as `name 1.2.3, name 4.5`."""

    async def start(self, cpu: int) -> None:
        """Start all servers, on this core only, and wait until they are ready: see `on_core`.

        Raises:
            StackError: they cannot be.
        """

    async def stop(self) -> None:
        """End whatever `start` has started, also if it failed half-way. May be called twice."""

    @property
    def servers(self) -> Sequence[int]:
        """Ids of the processes that serve the sockets; what descends from them is counted too."""

    @property
    def brokers(self) -> Sequence[int]:
        """Ids of the processes between the publisher and the servers; empty if there are none."""

    def token(self, user: str) -> str:
        """What stands for `{token}`; empty if the contender needs none."""

    def opening(self, *, resuming: bool = False) -> Opening:
        """How sockets are opened; with `resuming`, so that what was missed meanwhile is sent (`resumes`)."""

    def publishing(self) -> Publishing:
        """How events are published."""

    @property
    def resumes(self) -> bool:
        """Whether a socket can be opened so that it is sent what it has missed."""


def on_core(cpu: Cores, command: Sequence[str | Path]) -> list[str | Path]:
    """The command that runs `command` on this core, or on these only, with all its threads and children."""
    return ["taskset", "--cpu-list", str(cpu), *command]


@functools.cache
def cores() -> tuple[int, int]:
    """Where the servers run and where the load generator does; the same one where there is only one.

    As it was when this was first asked: `make bench` itself then keeps to the load's.
    """
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]
