"""Owns the figures of the page: what is taken from a row, and who is disqualified."""

from collections.abc import Callable, Mapping
from typing import Final

from bench.push.rows import Results, Row, Spread, What

Figure = Callable[[Row], float]

KIB: Final = 1024

Cell = tuple[int, int]
"""Devices a user, and sockets."""


def us(row: Row) -> float:
    """Microseconds of the servers' CPU for one frame or socket."""
    return row.cpu.servers / row.count * 1e6 if row.count else 0


def us_with_broker(row: Row) -> float:
    """Microseconds of the servers' and the brokers' CPU for one."""
    return (row.cpu.servers + row.cpu.brokers) / row.count * 1e6 if row.count else 0


def us_of_load(row: Row) -> float:
    """Microseconds of the load generator's CPU for one."""
    return row.generator / row.count * 1e6 if row.count else 0


def a_second(row: Row) -> float:
    """How many a second."""
    return row.count / row.seconds if row.seconds else 0


def share_of_load(row: Row) -> float:
    """Per cent of a core that the load generator used."""
    return row.generator / row.seconds * 100 if row.seconds else 0


def share_of_broker(row: Row) -> float:
    """Per cent of a core that the brokers used."""
    return row.cpu.brokers / row.seconds * 100 if row.seconds else 0


def by_the_busiest(row: Row) -> float:
    """Frames of all processes together for each CPU second of the busiest."""
    return row.count / row.busiest if row.busiest else 0


def kib(whose: str) -> Figure:
    """KiB a socket of the `servers`, the `brokers` or the `kernel`."""
    return lambda row: getattr(row.memory, whose) / row.count / KIB if row.memory is not None and row.count else 0


def cells(results: Results) -> list[Cell]:
    """All that were measured."""
    return sorted({(row.devices, row.sockets) for row in results.rows if row.what not in ("processes", "step")})


def rates(results: Results) -> list[float]:
    """Frames a second that were asked for, ascending."""
    return sorted({row.rate for row in results.rows if row.what == "steady"})


def lowest(results: Results) -> Cell:
    """Where latencies are measured over the rates."""
    return min(cells(results), default=(0, 0))


def spread(results: Results, name: str, what: What, of: Figure, cell: Cell, rate: float = 0) -> Spread | None:
    """Over the rounds; None if it was not measured."""
    rows = [row for row in results.of(name, what) if (row.devices, row.sockets, row.rate) == (*cell, rate)]
    return Spread.of([of(row) for row in rows])


def ratio(results: Results, ours: str, theirs: str, what: What, of: Figure, cell: Cell) -> float | None:
    """One contender's figure by another's; None if one of them was not measured, or did what it must not."""
    if any(faults(results, name, cell) for name in (ours, theirs)):
        return None
    upper, lower = (spread(results, name, what, of, cell) for name in (ours, theirs))
    return upper.median / lower.median if upper is not None and lower is not None and lower.median else None


def cell_name(cell: Cell) -> str:
    """`18,000 / 10`."""
    devices, sockets = cell
    return f"{sockets:,} / {devices}"


def latency(results: Results, name: str, rate: float, which: str) -> Spread | None:
    """None if it could not deliver at that rate, once and in order, in each round."""
    cell = lowest(results)
    rows = [row for row in results.of(name, "steady") if (row.devices, row.sockets, row.rate) == (*cell, rate)]
    if not rows or any(faults(results, name, cell)) or not all(row.kept_up for row in rows):
        return None
    return Spread.of([row.ms[which] for row in rows])


def faults(results: Results, name: str, cell: Cell | None = None) -> dict[str, int]:
    """How often a contender did what it must not, by what that was; in one cell or in all."""
    total: dict[str, int] = {}
    for row in results.rows:
        if row.contender == name and cell in (None, (row.devices, row.sockets)):
            for fault, count in row.wrong.items():
                total[fault] = total.get(fault, 0) + count
    return {fault: count for fault, count in total.items() if count}


def counted(counts: Mapping[str, int]) -> str:
    """`3 lost, 1 doubled`."""
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)
