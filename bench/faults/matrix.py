"""Owns one row of the matrix at work: load, faults at random moments, quiet, judgement."""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from bench.faults import checker
from bench.faults.crowd import Crowd
from bench.faults.device import Device
from bench.faults.repair import worst_repair
from bench.faults.run import Run
from bench.faults.scene import Row, Scene
from bench.faults.stack import COPIES, Stack, client
from bench.faults.truth import Truth, truth
from bench.faults.writer import Writer

RATE = 60.0
"""Writes a second, as long as they are answered."""

SETTLING = 30.0
"""Seconds that everything gets to arrive when nothing is broken any more and nobody writes: twice what is promised."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row's figures."""

    row: str
    injections: int
    acked: int
    refused: int
    verdict: checker.Verdict
    repair: float
    anew: bool = False

    @property
    def told_for_nothing(self) -> bool:
        """Whether devices were told to fetch their state where everything must come as frames."""
        return bool(self.verdict.told) and not self.anew


async def run_row(stack: Stack, row: Row, *, seed: str, rounds: int | None, rate: float) -> Result:
    """Run one row on people of its own, who write so many times a second.

    Raises:
        ExceptionGroup: the fault could not be injected, or something broke that should not.
    """
    chance = random.Random(seed)  # noqa: S311 - not a secret
    async with client() as http, asyncio.TaskGroup() as group:
        crowd = Crowd(stack, http, chance)
        await crowd.gather(f"{row.name}-{chance.randrange(10**6)}", row.pairs)
        devices = [_device(stack, crowd, number, seed) for number in range(row.devices)]
        living = [group.create_task(device.run(), name=device.name) for device in devices]
        async with asyncio.timeout(60):
            for device in devices:
                await device.synced.wait()
        writer = Writer(crowd, chance, rate=rate)
        writing = group.create_task(writer.run(), name="writer")
        scene = Scene(stack, crowd, devices, writer, random.Random(f"{seed} faults"))  # noqa: S311
        outages = [await _break(scene, row) for _ in range(rounds or row.rounds)]
        await scene.pause(0.5, 1.5)
        writer.stop()
        await writing
        what = await _settled(stack, crowd, devices)
        for task in living:
            task.cancel()
    run = Run(
        [*what.expected, *crowd.published],
        frozenset(writer.acked) | what.owed,
        what.captured,
        what.besides,
        [device.run_so_far for device in devices],
        what.final,
    )
    verdict = checker.judge(run)
    return Result(row.name, len(outages), what.changes, writer.refused, verdict, worst_repair(run, outages), row.anew)


def _device(stack: Stack, crowd: Crowd, number: int, seed: str) -> Device:
    user = crowd.users[number % len(crowd.users)]
    urls = [stack.push_url(copy) for copy in range(COPIES)]
    chance = random.Random(f"{seed} device {number}")  # noqa: S311 - not a secret
    return Device(f"device {number}", user, stack.token(user), urls, crowd.fetch, chance)


async def _break(scene: Scene, row: Row) -> tuple[float, float]:
    """Inject the fault once; returns from when to when the system was not whole."""
    await scene.pause(1.0, 3.0)
    scene.stack.mark(f"{row.name} begins")
    began = time.time()
    await row.inject(scene)
    ended = scene.over_at if scene.over_at > began else time.time()
    scene.stack.mark(f"{row.name} ends")
    await scene.stack.whole()
    return began, ended


async def _settled(stack: Stack, crowd: Crowd, devices: Sequence[Device]) -> Truth:
    """Wait until everybody has everything, or for as long as that may take; returns what there is to be had."""
    deadline = time.monotonic() + SETTLING
    while True:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            what = await truth(stack, crowd.users)
            if _nothing_is_missing(what, devices) or time.monotonic() > deadline:
                return what
        if time.monotonic() > deadline + SETTLING:
            raise TimeoutError("the databases do not answer")
        await asyncio.sleep(0.5)


def _nothing_is_missing(what: Truth, devices: Sequence[Device]) -> bool:
    if what.unpublished or not what.owed <= what.captured:
        return False
    runs = [device.run_so_far for device in devices]
    return all(
        device.synced.is_set()
        and not checker.unseen(run, what.expected)
        and checker.rebuild(run) == what.final.get(run.user)
        for device, run in zip(devices, runs, strict=True)
    )
