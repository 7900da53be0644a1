"""Owns the rounds: each system in turn is started, filled, asked, and stopped again, and what it used is counted."""

import contextlib
import itertools
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.job.crowd import Crowd
from bench.job.old import Old
from bench.job.system import DATABASE, Person, System, cpu_seconds
from bench.job.tandem import Tandem
from bench.job.work import Amount, Done, Jobs, Workers, fill, rest
from bench.push.contender import cores, on_core
from devstack.data_dir import DataDir
from devstack.postgres import Postgres
from devstack.processes import running

WARM_UP: Final = 100
"""Answers before the measured ones: a pool opens its connections, and a server compiles its plans, only when used."""

CLIENTS: Final = 16
"""Who answer at once when it is flat out: enough that no server ever waits for us."""

FEW: Final = 4
"""Who mark and list at once."""

FLAT_OUT: Final = "answer, flat out"
AT_RATE: Final = "answer, at the rate"
MARK: Final = "mark one item read"
HUNDRED: Final = "mark 100 items read"
PAGE: Final = "list a page of 50"
AT_REST: Final = "do nothing for a second"
PARTS: Final = (FLAT_OUT, AT_RATE, MARK, HUNDRED, PAGE, AT_REST)


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        seconds: of answering flat out, of answering at the rate, of nothing, and at most of each other part.
        rate: answers a second that everybody is given.
    """

    rounds: int = 5
    seconds: float = 5.0
    rate: float = 40.0
    amount: Amount = field(default_factory=Amount)


@dataclass(frozen=True)
class Measured:
    """One part of one round of one system.

    Attributes:
        done: how many jobs.
        seconds: that they took altogether.
        cpu: seconds of each service, of `BROKER` and of `DATABASE`.
        percentiles: of each time by its name, in seconds: the median and the 99th.
    """

    system: str
    part: str
    done: int
    seconds: float
    cpu: Mapping[str, float]
    percentiles: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Stage:
    """All systems, and the database that they share."""

    systems: Sequence[System]
    postgres: Postgres


@contextlib.asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A stage whose database runs on the systems' core and we on the other; gone afterwards."""
    folder = _new_folder()
    secret = DataDir(folder).secret()
    before = os.sched_getaffinity(0)
    theirs, ours = cores()
    try:
        database = Postgres(folder / "postgres", sink=_complain)
        database.command = [str(part) for part in on_core(theirs, database.command)]
        async with running(database) as postgres:
            os.sched_setaffinity(0, {ours})
            old = [Old(kind, postgres, secret) for kind in ("uvicorn", "daphne")]
            yield Stage((Tandem(folder, postgres, secret), *old), postgres)
    finally:
        os.sched_setaffinity(0, before)
        shutil.rmtree(folder, ignore_errors=True)


async def measure(stage: Stage, systems: Sequence[System], plan: Plan) -> list[Measured]:
    """All rounds, the systems taking turns."""
    measured: list[Measured] = []
    theirs = min(os.sched_getaffinity(stage.postgres.pid))
    for number, system in itertools.product(range(plan.rounds), systems):
        sys.stderr.write(f"round {number + 1} of {plan.rounds}: {system.name}\n")
        try:
            await system.start(theirs)
            jobs = await fill(system, f"{system.name}{number}", plan.amount)
            async with _crowd(system, jobs.people) as crowd:
                measured += await _Round(stage, system, crowd, plan).run(jobs)
        finally:
            await system.stop()
    return measured


@contextlib.asynccontextmanager
async def _crowd(system: System, people: Sequence[Person]) -> AsyncIterator[Crowd]:
    crowd = Crowd()
    try:
        for person in people:
            address = system.socket(person)
            await crowd.join(person.name, address.port, address.path, address.headers)
        yield crowd
        crowd.check()
    finally:
        crowd.leave()


class _Round:
    """One system, running and filled."""

    def __init__(self, stage: Stage, system: System, crowd: Crowd, plan: Plan) -> None:
        self._stage = stage
        self._system = system
        self._workers = Workers(crowd)
        self._plan = plan

    async def run(self, jobs: Jobs) -> list[Measured]:
        """Every part."""
        plan, workers = self._plan, self._workers
        try:
            count = int(plan.seconds * plan.rate)
            await workers.flat_out(jobs.answers[:WARM_UP], clients=CLIENTS)
            at_rate, flat_out = jobs.answers[WARM_UP : WARM_UP + count], jobs.answers[WARM_UP + count :]
            return [
                await self._measured(AT_REST, rest(int(plan.seconds))),
                await self._measured(AT_RATE, workers.at_rate(at_rate, plan.rate)),
                await self._measured(FLAT_OUT, workers.flat_out(flat_out, clients=CLIENTS, seconds=plan.seconds)),
                await self._measured(MARK, workers.flat_out(jobs.marks, clients=FEW, seconds=plan.seconds)),
                await self._measured(HUNDRED, workers.flat_out(jobs.hundreds, clients=1)),
                await self._measured(PAGE, workers.flat_out(jobs.pages, clients=FEW)),
            ]
        finally:
            workers.close()

    async def _measured(self, part: str, work: Awaitable[list[Done]]) -> Measured:
        cpu, began = self._cpu(), time.monotonic()
        done = await work
        seconds, now = time.monotonic() - began, self._cpu()
        used = {name: now[name] - before for name, before in cpu.items()}
        names = done[0].times
        percentiles = {name: _percentiles([each.times[name] for each in done]) for name in names}
        return Measured(self._system.name, part, len(done), seconds, used, percentiles)

    def _cpu(self) -> dict[str, float]:
        processes = {**self._system.processes, DATABASE: [self._stage.postgres.pid]}
        return {name: cpu_seconds(pids) for name, pids in processes.items()}


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tandem-job-"))
    folder.chmod(0o755)  # PostgreSQL's account must be able to pass
    return folder


def _complain(name: str, line: str) -> None:
    if "ERROR" in line or "FATAL" in line or "PANIC" in line:
        sys.stderr.write(f"{name:<18} | {line}\n")


def _percentiles(times: Sequence[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return cuts[49], cuts[98]
