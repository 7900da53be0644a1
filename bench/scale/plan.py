"""Owns what is measured: at which sizes, how often."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ROUNDS: Final = 5

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
"""Subjects in the stream, and subscriptions: a stream and a connection take a million within half a minute."""

EVENTS: Final = 20_000
"""That are measured at each size: half a second of the server, which is long for a clock that counts nanoseconds."""

FEW: Final = 500
"""Users who are always the same, whatever the size: what they cost more at a greater size is the size's doing, and what
all users cost more than they is that no cache holds all. As many as a connection's results in nats-server."""

BACKLOGS: Final = (100, 1_000, 10_000, 20_000)
"""Changes that wait for a relay: less than a batch of it, two, and many."""


@dataclass(frozen=True)
class Plan:
    """What `make scale` measures.

    Attributes:
        sizes: ascending, even numbers.
        events: measured at each of them.
        backlogs: ascending.
    """

    rounds: int = ROUNDS
    sizes: Sequence[int] = SIZES
    events: int = EVENTS
    backlogs: Sequence[int] = BACKLOGS


QUICK: Final = Plan(rounds=1, sizes=(1_000, 10_000), events=2_000, backlogs=(100, 1_000))
"""To see that all of it works: the figures are worth nothing."""
