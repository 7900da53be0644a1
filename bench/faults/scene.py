"""Owns what a row of the matrix is: a fault, and the system under load into which it is injected."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.faults.crowd import Crowd
from bench.faults.device import Device
from bench.faults.kinds import ALONE, Kind
from bench.faults.stack import Stack
from bench.faults.writer import Writer


@dataclass
class Scene:
    """A system under load, in which something is about to break.

    Attributes:
        over_at: when a row has said so last that nothing is broken any more, in seconds since the Unix epoch.
    """

    stack: Stack
    crowd: Crowd
    devices: list[Device]
    writer: Writer
    chance: random.Random
    over_at: float = 0.0

    def over(self) -> None:
        """Say that from now on nobody mends anything but the system itself, and that its repair is to be timed."""
        self.over_at = time.time()

    async def pause(self, shortest: float, longest: float) -> None:
        """Let the load go on for a random time."""
        await asyncio.sleep(self.chance.uniform(shortest, longest))


@dataclass(frozen=True)
class Row:
    """One row of the matrix.

    Attributes:
        inject: breaks something and mends it again.
        refusal: why it cannot be done on this machine; None if it can.
        devices: how many it needs.
        pairs: how many pairs of partners share them.
        rounds: how often it is done, unless somebody asks for another number.
        kind: the kind of system that it breaks.
        anew: whether devices are meant to be told to fetch their state anew. Elsewhere all must come as frames.
    """

    name: str
    inject: Callable[[Scene], Awaitable[None]]
    refusal: Callable[[], str | None] = lambda: None
    devices: int = 60
    pairs: int = 20
    rounds: int = 3
    kind: Kind = ALONE
    anew: bool = False


class NotAsIntended(Exception):
    """A fault did not have the effect on the system that it must have."""
