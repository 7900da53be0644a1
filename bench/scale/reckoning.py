"""Owns the reckoning: what so many users would need, from what was measured here and what is assumed of them.

Nothing in it is measured at that size. Each line is arithmetic that its own text repeats.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.scale.measured import Bus, Gateway
from contracts import streams
from contracts.subjects import SOURCES

GIB: Final = 1024**3
TIB: Final = 1024**4
KIB_IN_GIB: Final = 1024**2

HOUR: Final = 3600
"""Seconds."""

SECOND: Final = 1e6
"""Microseconds."""


@dataclass(frozen=True)
class Load:
    """Who is connected at the busiest time, and what happens to each of them.

    Attributes:
        events: addressed to each user, a day.
    """

    users: int
    events: float

    @property
    def name(self) -> str:
        return f"{self.users:,} users, {self.events:g} events a day"


LOADS: Final = (Load(100_000, 6), Load(10_000_000, 6), Load(10_000_000, 200))
"""An answer a day by each of two partners is six events to each user: both answers, the partner's item with the count,
and both again when it is read. Two hundred is another product, one in which people write to each other all day."""


@dataclass(frozen=True)
class Assumed:
    """What nobody has measured, because it depends on people or is a choice.

    Attributes:
        sockets: of each user: one a browser or telephone, as all tabs share one.
        busiest: share of a day's events that come in its busiest hour; everybody is asked at the same time of day.
        used: share of a core, or of a ceiling, that is planned with.
        back_within: seconds within which all sockets come back after all were cut.
        replicas: servers that hold a stream, and servers of its cluster.
        away_ms: CPU that the stream may spend on one user who was away for a day.
        a_change: events that a change means.
    """

    sockets: float = 1.5
    busiest: float = 0.25
    used: float = 0.5
    back_within: float = 300.0
    replicas: int = 3
    away_ms: float = 100.0
    a_change: float = 2.0


@dataclass(frozen=True)
class Line:
    """One quantity for each load.

    Attributes:
        how: the arithmetic.
        figures: None where what it needs was not measured.
    """

    name: str
    how: str
    figures: Sequence[float | None]


class Reckoning:
    """What one load needs."""

    def __init__(self, load: Load, bus: Bus, gateway: Gateway | None, relay_rate: float, assumed: Assumed) -> None:
        self._bus = bus
        self._gateway = gateway
        self._relay_rate = relay_rate
        self._assumed = assumed
        self._users = load.users
        self.a_day = load.users * load.events
        self.sockets = load.users * assumed.sockets
        self.events = self.a_day * assumed.busiest / HOUR
        self.frames = self.events * assumed.sockets
        self.changes = self.events / assumed.a_change

    @property
    def gateways_for_frames(self) -> float | None:
        return self._cores(self.frames * self._gateway.delivered_us) if self._gateway is not None else None

    @property
    def gateways_for_return(self) -> float | None:
        if self._gateway is None:
            return None
        return self._cores(self.sockets * self._gateway.opened_us / self._assumed.back_within)

    @property
    def gateways_for_sockets(self) -> float | None:
        return math.ceil(self.sockets / self._gateway.sockets) if self._gateway is not None else None

    @property
    def gateways(self) -> float | None:
        needs = (self.gateways_for_frames, self.gateways_for_return, self.gateways_for_sockets)
        return max((need for need in needs if need is not None), default=None)

    @property
    def gateway_memory(self) -> float | None:
        return self.sockets * self._gateway.kib / KIB_IN_GIB if self._gateway is not None else None

    @property
    def interest_memory(self) -> float:
        return self.sockets * self._bus.route_bytes / GIB

    @property
    def interest_seconds(self) -> float:
        return self.sockets * self._bus.route_us / SECOND

    @property
    def shards_for_interest(self) -> int:
        return math.ceil(self.sockets / self._bus.subscriptions)

    @property
    def shards_for_subjects(self) -> int:
        return math.ceil(self._users * len(SOURCES) / self._bus.subjects)

    @property
    def shards_for_events(self) -> int:
        return math.ceil(self.events / (self._bus.rate * self._assumed.used))

    @property
    def shards_for_return(self) -> int:
        return max(math.ceil(self.a_day * self._bus.between_us / (self._assumed.away_ms * 1000)), 1)

    @property
    def shards(self) -> int:
        return max(self.shards_for_interest, self.shards_for_subjects, self.shards_for_events, self.shards_for_return)

    @property
    def server_memory(self) -> float:
        subjects = self._users * len(SOURCES) * self._bus.subject_bytes
        return (subjects + self.sockets * self._bus.subscription_bytes) / GIB / self.shards

    @property
    def disk(self) -> float:
        days = streams.EVENTS.max_age.days
        return self.a_day * days * self._bus.event_bytes * self._assumed.replicas / TIB

    @property
    def databases(self) -> int:
        return math.ceil(self.changes / (self._relay_rate * self._assumed.used))

    def _cores(self, us_a_second: float) -> int:
        return math.ceil(us_a_second / SECOND / self._assumed.used)


Of = Callable[[Reckoning], float | None]


def lines(needs: Sequence[Reckoning], assumed: Assumed) -> Iterator[Line]:
    """The table, in the order in which one follows from the other."""

    def line(name: str, how: str, of: Of) -> Line:
        return Line(name, how, [of(need) for need in needs])

    used, days = f"{assumed.used:.0%} of", streams.EVENTS.max_age.days
    yield line("sockets", f"users x {assumed.sockets:g}", lambda need: need.sockets)
    yield line("events a second", f"of a day's, {assumed.busiest:.0%} in an hour", lambda need: need.events)
    yield line("frames a second", f"events x {assumed.sockets:g}", lambda need: need.frames)
    yield line("gateways, for frames", f"frames x CPU a frame, {used} a core", lambda need: need.gateways_for_frames)
    yield line(
        "gateways, to come back",
        f"sockets x CPU of opening one, in {assumed.back_within:g} s, {used} a core",
        lambda need: need.gateways_for_return,
    )
    yield line("gateways, by sockets", "sockets by the most measured in one", lambda need: need.gateways_for_sockets)
    yield line("**gateway processes**", "the most of these three", lambda need: need.gateways)
    yield line("their memory, GiB", "sockets x memory of one", lambda need: need.gateway_memory)
    yield line(
        "in one cluster: interest, GiB a server", "a subscription a socket x memory of one",
        lambda need: need.interest_memory,
    )  # fmt: skip
    yield line("in one cluster: CPU seconds to take it", "the same x CPU of one", lambda need: need.interest_seconds)
    yield line("shards, for interest", "sockets by the most subscriptions measured", lambda n: n.shards_for_interest)
    yield line(
        "shards, for subjects", f"users x {len(SOURCES)} by the most measured", lambda need: need.shards_for_subjects
    )
    yield line("shards, for events", f"events by {used} the stream's rate", lambda need: need.shards_for_events)
    yield line(
        "shards, to come back",
        f"a day's events x CPU for each between two of one user, by {assumed.away_ms:g} ms",
        lambda need: need.shards_for_return,
    )
    yield line("**shards of the stream**", "the most of these four", lambda need: need.shards)
    yield line(
        "memory of one server, GiB", "a shard's subjects and interest x memory of one", lambda need: need.server_memory
    )
    yield line(
        "disk of all, TiB", f"events of {days} days x bytes of one x {assumed.replicas} replicas",
        lambda need: need.disk,
    )  # fmt: skip
    yield line("changes a second", f"events by {assumed.a_change:g}", lambda need: need.changes)
    yield line("**databases of a service**", f"changes by {used} a relay's rate", lambda need: need.databases)
