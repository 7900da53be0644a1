"""Owns what the load generator answers."""

from dataclasses import dataclass
from typing import Final

FAULTS: Final = ("lost", "doubled", "disordered", "misaddressed", "ended")
"""In a tally, what must not be."""


@dataclass(frozen=True)
class Opened:
    """Sockets that were opened.

    Attributes:
        open: how many there are now.
        missed: for sockets that were opened again, how many events they had to be sent behind their greeting.
        got: how many of these they were sent.
        refused: how often a socket was closed instead of greeted, and tried again.
        cpu: seconds that the load generator used.
    """

    open: int
    seconds: float
    missed: int
    got: int
    refused: int
    cpu: float


@dataclass(frozen=True)
class Tally:
    """What became of the frames that the sockets should have got, and of others.

    Attributes:
        lost: what did not come within the generator's patience after the last frame that did.
        doubled: copies of what had come already.
        disordered: what came behind a later one.
        misaddressed: what was another user's, or nobody's.
        ended: sockets that the server has closed.
    """

    expected: int
    got: int
    lost: int
    doubled: int
    disordered: int
    misaddressed: int
    ended: int

    @property
    def wrong(self) -> int:
        """How many times the contender was at fault."""
        return sum(getattr(self, name) for name in FAULTS)


@dataclass(frozen=True)
class Published:
    """What one run of events gave.

    Attributes:
        events: that were published, in `publishing` seconds.
        seconds: until the last frame came.
        cpu: seconds that the load generator used.
        ms: latencies in milliseconds, from when an event should have been published: p50, p90, p99, p999, max.
    """

    events: int
    publishing: float
    seconds: float
    cpu: float
    ms: dict[str, float]
    tally: Tally
