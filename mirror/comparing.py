"""Owns the comparison: what was sent to a user, held against what either side delivered. A pure function.

Ids do not have to be translated: both sides deliver the old system's payloads, so two messages are the same if they
have the same event and the same data. What was sent twice, as the old system does with `inbox:created`, must be
delivered twice; the first one that was delivered is the first one that was sent.
"""

import json
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Side = Literal["old", "new"]
SIDES: tuple[Side, ...] = ("old", "new")

LATE = 1.0
"""Seconds behind the first sign of a message from which on it is late: a person begins to notice."""

Identity = tuple[str, str]

Period = tuple[int, int]
"""From when until when, in milliseconds by Redis's clock, both sides were listened to."""


def identity(event: str, data: Any) -> Identity:
    """By what a message is recognised: its event and its data, whatever the order of their fields."""
    return event, json.dumps(data, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Sending:
    """One message that was sent to a user.

    Attributes:
        id: of its event.
        noted: when it was sent, in milliseconds by Redis's clock.
        at: when the mirror learned of it, in seconds by the observer's clock.
    """

    id: str
    what: Identity
    noted: int
    at: float


@dataclass(frozen=True, slots=True)
class Hearing:
    """One message that a side delivered. `at`: when, in seconds by the observer's clock."""

    what: Identity
    at: float


@dataclass(frozen=True, slots=True)
class Late:
    """A message that came, but so many seconds behind its first sign: with the mirror, or at the other side."""

    sending: Sending
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one side of one user.

    Attributes:
        delivered: how many messages were both sent and delivered.
        missing: sent and not delivered.
        extra: delivered and not sent, or more often than sent.
        late: delivered, but too long after the first sign of it.
        reordered: delivered, but not in the order of sending: the fewest that have to be moved to restore it.
    """

    delivered: int
    missing: tuple[Sending, ...]
    extra: tuple[Hearing, ...]
    late: tuple[Late, ...]
    reordered: tuple[Sending, ...]

    @property
    def fine(self) -> bool:
        """Whether there is nothing to complain of."""
        return not (self.missing or self.extra or self.late or self.reordered)


def compare(
    sent: Sequence[Sending], heard: Mapping[Side, Sequence[Hearing]], *, period: Period, late: float = LATE
) -> Mapping[Side, Verdict]:
    """Judge both sides of one user; `sent` and `heard` are in their order.

    Args:
        period: what was sent outside of it is recognised, and not judged.
        late: seconds.
    """
    matched: dict[Side, dict[int, float]] = {}
    extra: dict[Side, list[Hearing]] = {}
    for side in SIDES:
        matched[side], extra[side] = _match(sent, heard[side])
    judged = [place for place, sending in enumerate(sent) if period[0] <= sending.noted < period[1]]
    first = {
        place: min([sent[place].at, *(matched[side][place] for side in SIDES if place in matched[side])])
        for place in judged
    }
    return {side: _verdict(sent, matched[side], extra[side], first, late) for side in SIDES}


def _verdict(
    sent: Sequence[Sending],
    matched: Mapping[int, float],
    extra: Sequence[Hearing],
    first: Mapping[int, float],
    late: float,
) -> Verdict:
    """Of one side; `first` has the moment of the first sign of each place that is judged."""
    delays = {place: matched[place] - moment for place, moment in first.items() if place in matched}
    return Verdict(
        len(delays),
        tuple(sent[place] for place in first if place not in matched),
        tuple(extra),
        tuple(Late(sent[place], delay) for place, delay in delays.items() if delay > late),
        tuple(sent[place] for place in _moved(place for place in matched if place in first)),
    )


def _match(sent: Sequence[Sending], heard: Sequence[Hearing]) -> tuple[dict[int, float], list[Hearing]]:
    """When each sending, by its place, was delivered, in the order of delivery; and what is left over."""
    places: dict[Identity, deque[int]] = defaultdict(deque)
    for place, sending in enumerate(sent):
        places[sending.what].append(place)
    matched: dict[int, float] = {}
    extra = []
    for hearing in heard:
        if waiting := places.get(hearing.what):
            matched[waiting.popleft()] = hearing.at
        else:
            extra.append(hearing)
    return matched, extra


def _moved(order: Iterable[int]) -> list[int]:
    """What does not belong to the longest part of `order` that ascends."""
    ends: list[int] = []  # of the ascending parts of each length, the lowest last one
    lengths = []
    for place in order:
        length = bisect_left(ends, place)
        ends[length : length + 1] = [place]
        lengths.append((place, length))
    moved, wanted = [], len(ends) - 1
    for place, length in reversed(lengths):
        if length == wanted:
            wanted -= 1
        else:
            moved.append(place)
    return sorted(moved)
