"""Owns what is measured: which loads, in which order, how often."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

SOCKETS: Final = (1_000, 5_000, 18_000)
"""A process may have 20,000 files open here."""

DEVICES: Final = (1, 10)
"""Of each user."""

ROUNDS: Final = 5

STEADY: Final = 1_000
"""Frames a second that everybody can deliver, the old design included."""

LADDER: Final = (2_000, 5_000, 10_000, 20_000, 40_000)
"""Frames a second, at the least sockets and one device: a contender climbs it as far as it keeps up."""

AHEAD: Final = 2_000
"""Events that may be on their way when they go as fast as they are taken: enough that a batch is always waiting, few
enough that nobody's buffers fill."""

MISSED: Final = 10
"""Events of each user that those missed who come back."""

RESUMED_MAX: Final = 1_000
"""Sockets that come back at once; with more of them it only takes longer."""

NARROW: Final = ("tandem_unsynced",)
"""Who is measured only where latencies are: in all else it is as another one."""

SLOW: Final = 25.0
"""Seconds; who needs longer to take so many sockets is asked to do it in the first round only."""


@dataclass(frozen=True)
class Plan:
    """What `make bench` measures.

    Attributes:
        sockets: how many are open, ascending.
        seconds: of each load.
    """

    contenders: Sequence[str]
    rounds: int = ROUNDS
    sockets: Sequence[int] = SOCKETS
    devices: Sequence[int] = DEVICES
    seconds: float = 1.0

    def visits(self) -> Iterator["Visit"]:
        """In order: within a round each contender once for each number of devices, so that whatever the machine does
        meanwhile, it does to all."""
        for number in range(1, self.rounds + 1):
            for devices in self.devices:
                for contender in self.contenders:
                    if contender not in NARROW:
                        yield Visit(contender, number, devices, self.sockets)
                    elif devices == self.devices[0]:
                        yield Visit(contender, number, devices, self.sockets[:1])


@dataclass(frozen=True)
class Visit:
    """One contender's turn: it is started, takes more and more sockets with their loads, and is stopped."""

    contender: str
    round: int
    devices: int
    sockets: Sequence[int] = SOCKETS


def window(devices: int, sockets: int) -> int:
    """Frames that may be on their way, so that on average no socket waits for more than one: a server that joins
    several for one socket in one write is not to be asked to by the load."""
    return min(AHEAD * devices, sockets)


def held_at(rate: int) -> int:
    """Frames that may be on their way at a rate. Who is so far behind, a quarter of a second, does not keep up; the
    rest is held back, so that the next load does not begin with a mountain."""
    return max(rate // 4, 500)


def rates(devices: int, sockets: int, least: int) -> Sequence[int]:
    """Frames a second, one after another."""
    return (STEADY, *LADDER) if devices == 1 and sockets == least else (STEADY,)
