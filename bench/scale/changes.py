"""Measures how many changes a second one relay carries: the inbox service's, with a backlog that appears at once.

Each change is a new item of another user, so it means two events: the item, and that user's number of unread items.
"""

import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from bench.job.system import sql
from bench.push import accounting
from bench.push.contender import cores, on_core
from bench.push.contenders.events_stream import silent
from bench.scale.broker import IN_MICROSECONDS, Broker, broker
from bench.scale.plan import Plan
from bench.scale.rows import Row
from devstack.data_dir import DataDir
from devstack.errors import ChildEnded, StackError
from devstack.ports import HOST, free_port
from devstack.postgres import Postgres
from devstack.processes import Child, running
from devstack.services import Service
from devstack.waiting import until

ROOT: Final = Path(__file__).parents[2]
DATABASE: Final = "inbox"

READY_WITHIN: Final = 60.0
"""Seconds."""

CARRIED_WITHIN: Final = 120.0
"""Seconds for a backlog."""

LOOK_EVERY: Final = 0.02
"""Seconds between looks whether it is gone; each look is one row of an index that is nearly empty."""

WARM_UP: Final = 200
"""Changes before the measured ones: a server compiles its plans only when they are used."""

INSERT: Final = (
    "INSERT INTO inbox_items (recipient_id, kind, title, body)"
    " SELECT $1 || n, 'notice', 'A notice', 'What somebody wrote in some fifty or sixty letters.'"
    " FROM generate_series(1, $2) AS n"
)
WAITING: Final = "SELECT EXISTS (SELECT FROM changes WHERE seq IS NULL)"


@dataclass(frozen=True)
class _Stage:
    """A relay, and what it carries from and to."""

    broker: Broker
    postgres: Postgres
    service: Child
    database: asyncpg.Connection

    def cpu(self) -> dict[str, float]:
        """Seconds of each."""
        pids = {"relay": self.service.pid, "postgres": self.postgres.pid}
        return {name: accounting.cpu_seconds([pid]) for name, pid in pids.items()} | {"nats": self.broker.cpu}

    async def carry(self, name: str, changes: int) -> dict[str, float]:
        """Have so many changes appear; what it costs until all are in the stream and marked."""
        await self.database.execute(INSERT, name, changes)
        before, began = self.cpu(), time.perf_counter()

        async def carried() -> bool:
            return not await self.database.fetchval(WAITING)

        if not await until(carried, within=CARRIED_WITHIN, every=LOOK_EVERY):
            raise StackError(f"{changes} changes were not carried within {CARRIED_WITHIN:g} s")
        seconds, after = time.perf_counter() - began, self.cpu()
        used = {each: (after[each] - cpu) / changes * IN_MICROSECONDS for each, cpu in before.items()}
        return used | {"rate": changes / seconds}


async def changes(plan: Plan, number: int) -> AsyncIterator[Row]:
    """A round, backlog by backlog."""
    async with _stage() as stage:
        await stage.carry("warm", WARM_UP)
        for size in plan.backlogs:
            yield Row("changes", size, number, await stage.carry(f"user{size}_", size))


@contextlib.asynccontextmanager
async def _stage() -> AsyncIterator[_Stage]:
    """The relay on one core, PostgreSQL and NATS on the other, all gone afterwards."""
    folder = _new_folder()
    theirs, relays = cores()
    postgres = Postgres(folder / "postgres", sink=silent)
    postgres.command = [str(part) for part in on_core(theirs, postgres.command)]
    service = Service("inbox", (sys.executable, "-m", "inbox_service"), free_port())
    try:
        async with broker() as server, running(postgres):
            await postgres.create_databases(DATABASE)
            env = {
                "NATS_URL": server.stream.nats.url, "INBOX_DATABASE_URL": postgres.url(DATABASE), "HOST": HOST,
                "INBOX_PORT": str(service.port), "AUTH_SECRET": DataDir(folder).secret(), "PYTHONPATH": str(ROOT),
                "LOG_LEVEL": "WARNING",
            }  # fmt: skip
            await _migrate(Child("migrate", [*service.command, "migrate"], env=env, sink=silent))
            command = on_core(relays, service.command)
            child = Child("inbox", command, env=env, probe=service.ready, ready_within=READY_WITHIN, sink=silent)
            async with running(child), sql(postgres, DATABASE) as database:
                yield _Stage(server, postgres, child, database)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tandem-scale-"))
    folder.chmod(0o755)  # PostgreSQL's account must be able to pass
    return folder


async def _migrate(child: Child) -> None:
    await child.spawn()
    if (code := await child.wait()) != 0:
        raise ChildEnded(child.name, code)
