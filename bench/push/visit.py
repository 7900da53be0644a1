"""Owns one contender's turn: starting it, loading it, and taking down what it used."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict

from bench.push import accounting
from bench.push.accounting import Cpu, Memory
from bench.push.contender import Contender, cores
from bench.push.generator import Generator, generating
from bench.push.orders import user_name
from bench.push.outcomes import FAULTS, Opened, Published
from bench.push.plan import MISSED, RESUMED_MAX, SLOW, Plan, Visit, held_at, rates, window
from bench.push.rows import Row, What
from devstack.errors import StackError

WARMING = 0.3
"""Seconds of load before the first measured one."""

IDLE = 1.0
"""Seconds without any load, before memory is looked at: what was used for opening has been given back by then."""

Taken = Callable[[Row], None]


class Turn:
    """One contender at work; what is measured goes to `taken`.

    Attributes:
        slow: levels of sockets that took it too long to be done again.
    """

    def __init__(self, contender: Contender, visit: Visit, plan: Plan, taken: Taken) -> None:
        self.slow: set[int] = set()
        self._contender = contender
        self._visit = visit
        self._plan = plan
        self._taken = taken
        self._servers_core, self._load_core = cores()
        self._empty = Memory(0, 0, 0)
        self._at = 0
        self._seen: dict[str, int] = {}

    async def run(self, levels: list[int]) -> None:
        """All of it; a failure is taken down too."""
        contender, devices = self._contender, self._visit.devices
        self._at = levels[0]
        try:
            await contender.start(self._servers_core)
            opening, again = contender.opening(), contender.opening(resuming=True) if contender.resumes else None
            tokens = [contender.token(user_name(number)) for number in range(levels[-1] // devices)]
            async with generating(
                opening, contender.publishing(), tokens=tokens, devices=devices, cpu=self._load_core, again=again
            ) as generator:
                self._empty = self._memory()
                for level in levels:
                    self._at = level
                    await self._level(generator, level)
                await self._end(generator)
        except StackError as error:
            self._row("failed", failure=str(error))
        finally:
            await contender.stop()

    async def _level(self, generator: Generator, level: int) -> None:
        await self._open(generator, level)
        await self._idle()
        ahead = window(self._visit.devices, level)
        await generator.publish(seconds=WARMING, window=ahead)
        for rate in rates(self._visit.devices, level, self._plan.sockets[0]):
            if not await self._steady(generator, rate):
                break
        before = self._cpu()
        done = await generator.publish(seconds=self._plan.seconds, window=ahead)
        self._published("flat", done, self._cpu() - before)
        if self._contender.resumes and level <= RESUMED_MAX:
            await self._again(generator, level)

    async def _end(self, generator: Generator) -> None:
        """Take down what was done wrong while nobody was looking: between two loads, or long after one."""
        total = asdict(await generator.total())
        wrong = {name: max(total[name] - self._seen.get(name, 0), 0) for name in FAULTS}
        self._row("end", wrong=wrong)

    async def _open(self, generator: Generator, level: int) -> None:
        before = self._cpu()
        already = generator.sockets
        done = await generator.open(level)
        self._opened("open", done, done.open - already, self._cpu() - before)
        if done.seconds > SLOW:
            self.slow.add(level)

    async def _idle(self) -> None:
        before, began = self._cpu(), time.monotonic()
        await asyncio.sleep(IDLE)
        now = self._memory()
        memory = Memory(*(getattr(now, name) - held for name, held in asdict(self._empty).items()))
        self._row("idle", count=self._at, seconds=time.monotonic() - began, cpu=self._cpu() - before, memory=memory)

    async def _steady(self, generator: Generator, rate: int) -> bool:
        """Whether it kept up."""
        before = self._cpu()
        done = await generator.publish(
            rate=rate / self._visit.devices, seconds=self._plan.seconds, window=held_at(rate)
        )
        return self._published("steady", done, self._cpu() - before, rate=rate).kept_up

    async def _again(self, generator: Generator, level: int) -> None:
        await generator.close()
        await generator.publish(events=MISSED * (level // self._visit.devices))
        before = self._cpu()
        done = await generator.open_again(level)
        self._opened("again", done, level, self._cpu() - before)

    def _opened(self, what: What, done: Opened, count: int, cpu: Cpu) -> None:
        self._row(
            what,
            count=count,
            seconds=done.seconds,
            refused=done.refused,
            cpu=cpu,
            generator=done.cpu,
            wrong={"lost": done.missed - done.got},
        )

    def _published(self, what: What, done: Published, cpu: Cpu, rate: float = 0) -> Row:
        wrong = {name: getattr(done.tally, name) for name in FAULTS}
        seconds = max(done.seconds, done.publishing) if rate else done.seconds
        return self._row(
            what, rate=rate, count=done.tally.got, seconds=seconds, cpu=cpu, generator=done.cpu, ms=done.ms, wrong=wrong
        )

    def _row(self, what: What, **measured: object) -> Row:
        visit = self._visit
        row = Row(visit.contender, visit.round, visit.devices, self._at, what, **measured)  # type: ignore[arg-type]
        for fault, count in row.wrong.items():
            self._seen[fault] = self._seen.get(fault, 0) + count
        self._taken(row)
        return row

    def _cpu(self) -> Cpu:
        return accounting.cpu(self._contender.servers, self._contender.brokers, self._servers_core)

    def _memory(self) -> Memory:
        return accounting.memory(self._contender.servers, self._contender.brokers)
