"""Owns the table of what the reckoning starts from: each figure with where it comes from."""

from collections.abc import Iterator

from bench.scale.measured import Bus, Gateway
from bench.scale.reckoning import Assumed

Premise = tuple[str, str, str]
"""What it is, the figure, and its source."""

ASSUMED = "assumed: "
BENCH = "`make bench`, with the most sockets"


def premises(bus: Bus, gateway: Gateway | None, relay_rate: float, assumed: Assumed) -> Iterator[Premise]:
    """First what nobody has measured, then what was."""
    yield "sockets a user", f"{assumed.sockets:g}", ASSUMED + "one a browser or telephone; all tabs share one"
    yield "busiest hour's share of a day", f"{assumed.busiest:.0%}", ASSUMED + "everybody is asked at the same time"
    yield "planned use of a core or ceiling", f"{assumed.used:.0%}", ASSUMED + "the rest is for a lost machine"
    yield "all sockets back after a cut", f"{assumed.back_within:g} s", ASSUMED + "a choice"
    yield "replicas, servers of a cluster", f"{assumed.replicas}", ASSUMED + "what one lost server asks for"
    yield "CPU of a return after a day", f"{assumed.away_ms:g} ms", ASSUMED + "a choice"
    yield "events a change", f"{assumed.a_change:g}", "the services: an answer is told to both, an item with its count"
    yield "subjects of one stream", f"{bus.subjects:,}", "above, the most measured, taken as a limit"
    yield "subscriptions of one server", f"{bus.subscriptions:,}", "above, the most measured, taken as a limit"
    yield "events a second of one stream", f"{bus.rate:,.0f}", "above, at the most subjects; a batch at a time"
    yield "disk of an event", f"{bus.event_bytes:,.0f} bytes", "the stream's own count"
    yield "memory of one more subject", f"{bus.subject_bytes:,.0f} bytes", "slope of the last two sizes"
    yield "memory of one more subscription", f"{bus.subscription_bytes:,.0f} bytes", "slope of the last two sizes"
    yield "the same, of another server's client", f"{bus.route_bytes:,.0f} bytes", "slope of the last two sizes"
    yield "CPU of taking that", f"{bus.route_us:.1f} us", "above, at the most subscriptions"
    yield "CPU of a read for an event between", f"{bus.between_us * 1000:,.0f} ns", "slope of the last two sizes"
    yield "changes a second of one relay", f"{relay_rate:,.0f}", "above, from the longest backlog"
    if gateway is not None:
        yield "sockets of one gateway", f"{gateway.sockets:,}", "`make bench`, the most measured, taken as a limit"
        yield "CPU of a frame", f"{gateway.delivered_us:.1f} us", BENCH
        yield "CPU of opening a socket", f"{gateway.opened_us:,.0f} us", BENCH
        yield "memory of a socket", f"{gateway.kib:.1f} KiB", BENCH
