"""Owns how long it took until a device had what it should: counted from when nothing stood in the way. Pure."""

from collections.abc import Sequence

from bench.faults.checker import events_of
from bench.faults.run import Run

Outage = tuple[float, float]


def worst_repair(run: Run, outages: Sequence[Outage]) -> float:
    """The longest time in seconds from a change, or the end of the outage that it fell into, to a device's frame."""
    expected = {event.id: event for event in run.expected}
    worst = 0.0
    for device in run.devices:
        for record in events_of(device):
            event = expected.get(record.frame["id"])
            if event is not None:
                worst = max(worst, record.at - owed_since(event.at, record.at, outages))
    return worst


def owed_since(captured: float, arrived: float, outages: Sequence[Outage]) -> float:
    """From when on an event was due that was captured and arrived at these times."""
    ends = [ended for _, ended in outages if captured <= ended <= arrived]
    return max([captured, *ends])
