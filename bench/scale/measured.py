"""Owns the figures that the reckoning starts from: of this run, and of the last run of `make bench`."""

from dataclasses import dataclass
from pathlib import Path

from bench.push import figures
from bench.push.figures import Figure
from bench.push.rows import Results as Pushed
from bench.push.rows import What as PushedWhat
from bench.scale.rows import Results, What

TANDEM = "tandem"

ONE_DEVICE = 1


@dataclass(frozen=True)
class Bus:
    """Of nats-server, at the greatest size that was measured.

    Attributes:
        subjects: how many there were in the stream.
        subscriptions: how many one server had.
        rate: events a second that one stream took, on one core.
        event_bytes: that an event takes in the stream.
        subject_bytes: of memory for one more subject.
        subscription_bytes: of memory for one more subscription.
        route_bytes: of memory for one more subscription of another server's client.
        route_us: CPU for one of these.
        between_us: CPU of a read for one more message of others between two of one user.
    """

    subjects: int
    subscriptions: int
    rate: float
    event_bytes: float
    subject_bytes: float
    subscription_bytes: float
    route_bytes: float
    route_us: float
    between_us: float

    @classmethod
    def of(cls, results: Results) -> "Bus":
        """What one more costs is the slope between the two greatest sizes: most of it is there, and the rest is not
        counted for each."""
        subjects, subscriptions = results.sizes("subjects")[-1], results.sizes("subscriptions")[-1]
        return cls(
            subjects,
            subscriptions,
            rate=results.median("subjects", subjects, "rate"),
            event_bytes=results.median("subjects", subjects, "stored"),
            subject_bytes=_slope(results, "subjects", "memory"),
            subscription_bytes=_slope(results, "subscriptions", "memory"),
            route_bytes=_slope(results, "routes", "memory"),
            route_us=results.median("routes", results.sizes("routes")[-1], "subscribe"),
            between_us=_slope(results, "subjects", "alone"),
        )


@dataclass(frozen=True)
class Gateway:
    """Of one gateway process, with the most sockets that were measured, one a user.

    Attributes:
        sockets: how many there were.
        delivered_us: CPU a frame.
        opened_us: CPU a socket that is opened.
        kib: of memory a socket.
    """

    sockets: int
    delivered_us: float
    opened_us: float
    kib: float

    @classmethod
    def all_of(cls, file: Path) -> list["Gateway"]:
        """By sockets, from what `make bench` has saved; none if it has not run or has not measured Tandem."""
        if not file.exists():
            return []
        pushed = Pushed.load(file)
        sizes = sorted({row.sockets for row in pushed.of(TANDEM, "flat") if row.devices == ONE_DEVICE})
        return [
            cls(
                size,
                delivered_us=_pushed(pushed, size, "flat", figures.us),
                opened_us=_pushed(pushed, size, "open", figures.us),
                kib=_pushed(pushed, size, "idle", figures.kib("servers")),
            )
            for size in sizes
        ]


def relay_rate(results: Results) -> float:
    """Changes a second that one relay carries from the longest backlog."""
    return results.median("changes", results.sizes("changes")[-1], "rate")


def _slope(results: Results, what: What, name: str) -> float:
    """What one more costs between the two greatest sizes; nothing where that is less than the noise."""
    low, high = results.sizes(what)[-2:]
    return max(results.median(what, high, name) - results.median(what, low, name), 0) / (high - low)


def _pushed(pushed: Pushed, sockets: int, what: PushedWhat, of: Figure) -> float:
    found = figures.spread(pushed, TANDEM, what, of, (ONE_DEVICE, sockets))
    assert found is not None, "a level of sockets is opened, looked at and loaded"
    return found.median
