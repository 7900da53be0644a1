"""Owns limits of how often: a token bucket for each user or address, and nothing kept for those that keep still."""

import math
import time
from collections.abc import Callable

BURST = 60.0
"""Seconds for which the allowance is saved up: who was quiet for so long may use it all at once."""


class RateLimit:
    """So many a second for each key, and `BURST` seconds' worth of them at once; no limit with a rate of 0.

    For each key one number is kept: when all that it took will be paid for (the generic cell rate algorithm). Those
    that have paid are forgotten from time to time, so what is kept is at most what was asked for within `BURST` twice.
    """

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._cost = 1 / rate if rate else 0.0
        self._clock = clock
        self._paid_at: dict[str, float] = {}
        self._cleaned_at = clock()

    def __len__(self) -> int:
        """How many keys there are to be remembered."""
        return len(self._paid_at)

    def take(self, key: str) -> int:
        """Take one. 0 if there was one, else the whole seconds until there is one; then nothing was taken."""
        now = self._clock()
        if now - self._cleaned_at > BURST:
            self._paid_at = {other: at for other, at in self._paid_at.items() if at > now}
            self._cleaned_at = now
        paid_at = max(self._paid_at.get(key, now), now) + self._cost
        if paid_at - now > BURST:
            return math.ceil(paid_at - now - BURST)
        if self._cost:
            self._paid_at[key] = paid_at
        return 0
