"""Owns which pictures the page has."""

from collections.abc import Callable
from typing import Final

from bench.push.plots import Chart, Points
from bench.scale.plan import FEW
from bench.scale.rows import Results, What

MIB: Final = 1024**2


def charts(results: Results) -> dict[str, Chart]:
    """The pictures, by the names of their files."""

    def over(what: What, name: str, by: float = 1) -> Points:
        points = [(size, results.median(what, size, name) / by) for size in results.sizes(what)]
        return [(size, value) for size, value in points if value > 0]  # a server may give back more than it takes

    grown = "subjects in the stream, or subscriptions"
    return {
        "scale-event": Chart("CPU an event", grown, "microseconds of nats-server", _each(over, "all", "few")),
        "scale-memory": Chart(
            "Memory of nats-server", grown, "MiB",
            {"subjects": over("subjects", "memory", MIB), "subscriptions": over("subscriptions", "memory", MIB)},
        ),
        "scale-return": Chart(
            "Reading one event of one user", "events of others before it", "microseconds of nats-server",
            {"alone": over("subjects", "alone")},
        ),
        "scale-relay": Chart(
            "CPU a change", "changes that wait", "microseconds",
            {name: over("changes", name) for name in ("relay", "postgres", "nats")},
        ),
    }  # fmt: skip


def _each(over: Callable[[What, str], Points], everybody: str, few: str) -> dict[str, Points]:
    """Everybody's lines, and those of the same few users whatever the size."""
    whats: tuple[What, ...] = ("subjects", "subscriptions")
    lines = {what: over(what, everybody) for what in whats}
    return lines | {f"{what} of {FEW} users": over(what, few) for what in whats}
