"""Owns what a system is whose whole job is measured: how it is started, filled and asked."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import asyncpg
import psutil

from bench.job.wire import Call
from devstack.postgres import PORT, SUPERUSER, Postgres

QUESTION: Final = "What did you notice today that you would have walked past a year ago?"
"""Everybody's on every day."""

BROKER: Final = "broker"
DATABASE: Final = "database"
"""Whose CPU is listed apart from the services'."""

TOKEN_LIFE: Final = 24 * 3600
"""Seconds: longer than any run."""


@dataclass(frozen=True)
class Person:
    """A user: the name by which the benchmark knows them, the id that the system knows, and a token."""

    name: str
    id: str
    token: str


@dataclass(frozen=True)
class Address:
    """Where a socket is opened."""

    port: int
    path: str
    headers: str = ""


class System(Protocol):
    """A system that can be started many times. What it was filled with stays."""

    name: str
    """In tables and on the command line."""

    what: str
    """One line for the table: what it is and how it was set up."""

    def available(self) -> str | None:
        """Why it cannot be started here; None if it can."""

    def version(self) -> str:
        """Of the programs that matter, as `name 1.2.3, name 4.5`."""

    async def start(self, cpu: int) -> None:
        """Start everything but the database on this core only, and wait until it is ready."""

    async def stop(self) -> None:
        """End what `start` has started, also if it failed half-way."""

    @property
    def processes(self) -> Mapping[str, Sequence[int]]:
        """The ids of its processes: of each service by its name, and of `BROKER`; what descends from them is theirs."""

    async def people(self, names: Sequence[str]) -> Sequence[Person]:
        """New users of these names."""

    async def questions(self, pairs: Sequence[tuple[Person, Person]], days: int) -> Sequence[Sequence[str]]:
        """Make partners of each two; returns the ids of so many questions a pair, all of them open."""

    async def items(self, person: Person, bodies: Sequence[str]) -> Sequence[str]:
        """Unread inbox items with these texts; returns their ids, in that order, the last one being the newest."""

    async def settled(self) -> None:
        """Wait until nothing that was filled in is still on its way to somebody."""

    def socket(self, person: Person) -> Address:
        """Where the socket of `person` is opened."""

    def answer(self, person: Person, question: str, text: str) -> Call:
        """Answer a question."""

    def mark_read(self, person: Person, item: str) -> Call:
        """Mark an item as read."""

    def mark_all_read(self, person: Person, newest: str) -> Call:
        """Mark all items as read, of which this is the newest."""

    def page(self, person: Person) -> Call:
        """List the first 50 items."""


def cpu_seconds(pids: Sequence[int]) -> float:
    """What these processes and their descendants, also those that have ended, have used, in user and kernel mode."""
    total = 0.0
    for pid in pids:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue  # it has just ended: from now on it stands in its parent's account
            total += times.user + times.system + times.children_user + times.children_system
    return total


@contextlib.asynccontextmanager
async def sql(postgres: Postgres, database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of somebody who types SQL."""
    host = str(postgres.socket_dir)
    connection = await asyncpg.connect(host=host, port=PORT, user=SUPERUSER, database=database)
    try:
        yield connection
    finally:
        await connection.close()
