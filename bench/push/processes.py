"""Owns measuring Tandem's gateway as several processes: what the busiest of them has to do, beside one alone."""

from collections.abc import Mapping, Sequence
from typing import Final

import psutil

from bench.push import accounting
from bench.push.contender import cores
from bench.push.contenders.tandem import Tandem
from bench.push.generator import generating
from bench.push.orders import user_name
from bench.push.plan import window
from bench.push.rows import Row
from bench.push.visit import WARMING

PROCESSES: Final = (1, 2)
"""Of the gateway. Clients are spread over them by the kernel."""

SOCKETS: Final = 5_000


class TandemProcesses(Tandem):
    """The gateway as several processes, which may use every core, as may its broker."""

    def __init__(self, processes: int) -> None:
        super().__init__(workers=processes)

    @property
    def cpu(self) -> Mapping[int, float]:
        """CPU seconds of each process that serves sockets, by its id."""
        [parent] = self.servers
        serving = [child.pid for child in psutil.Process(parent).children()] or [parent]
        return {pid: accounting.cpu_seconds([pid]) for pid in serving}


async def measure(devices: Sequence[int], rounds: int, seconds: float, sockets: int = SOCKETS) -> list[Row]:
    """Flat out, in turns: each number of processes once a round.

    Raises:
        StackError: something did not start.
    """
    return [
        await _one(number, processes, each, seconds, sockets)
        for number in range(1, rounds + 1)
        for each in devices
        for processes in PROCESSES
    ]


async def _one(number: int, processes: int, devices: int, seconds: float, sockets: int) -> Row:
    contender = TandemProcesses(processes)
    first, last = cores()
    try:
        await contender.start(f"{first},{last}")
        tokens = [contender.token(user_name(user)) for user in range(sockets // devices)]
        opening, publishing = contender.opening(), contender.publishing()
        async with generating(opening, publishing, tokens=tokens, devices=devices, cpu=f"{first},{last}") as generator:
            await generator.open(sockets)
            ahead = window(devices, sockets)
            await generator.publish(seconds=WARMING, window=ahead)
            before, total = contender.cpu, accounting.cpu(contender.servers, contender.brokers, first)
            done = await generator.publish(seconds=seconds, window=ahead)
            used = accounting.cpu(contender.servers, contender.brokers, first) - total
            busiest = max(now - before.get(pid, 0) for pid, now in contender.cpu.items())
    finally:
        await contender.stop()
    return Row(
        *(contender.name, number, devices, sockets, "processes"),
        count=done.tally.got,
        seconds=done.seconds,
        cpu=used,
        generator=done.cpu,
        wrong={"wrong": done.tally.wrong},
        processes=processes,
        busiest=busiest,
    )
