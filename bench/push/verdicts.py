"""Owns what was asked of the gateway, and whether a run reached it."""

from collections.abc import Iterator, Sequence
from typing import Final

from bench.push import figures
from bench.push.figures import Cell, Figure, cell_name
from bench.push.rows import Results, Spread, What

TANDEM: Final = "tandem"
FLOOR: Final = "floor"
OLD: Final = ("channels_uvicorn", "channels_daphne")
SAME: Final = ("tandem_unsynced",)
"""Tandem too, set up otherwise."""

ACCEPTING: Final = ("centrifugo", "nchan")

FLOOR_MOST: Final = 1.5
OLD_LEAST: Final = 20
KIB_MOST: Final = 11
PROCESSES_LEAST: Final = 1.8


def verdicts(results: Results) -> Iterator[Sequence[str]]:
    """What was asked, what was measured, and `yes` or `no`; nothing where there is nothing to compare."""
    peers = [name for name in results.what if name not in (TANDEM, FLOOR, *OLD, *SAME)]
    if peers:
        ratios = _ratios(results, "flat", figures.us, peers)
        yield _worst("CPU a delivered event: at most every peer's, in each cell", ratios, most=1)
    yield _worst(
        f"at most {FLOOR_MOST} times the floor's", _ratios(results, "flat", figures.us, [FLOOR]), most=FLOOR_MOST
    )
    if old := _ratios(results, "flat", figures.us, OLD):
        least, _, name, cell = min((1 / ratio, number, name, cell) for number, (ratio, name, cell) in enumerate(old))
        asked = f"at least {OLD_LEAST} times less than the old design's"
        yield asked, f"{least:.0f} times less than {name}'s at {cell_name(cell)}", yes_or_no(least >= OLD_LEAST)
    yield from _memory(results)
    accepting = [(1 / ratio, name, cell) for ratio, name, cell in _ratios(results, "open", figures.a_second, ACCEPTING)]
    yield _worst("accepting sockets: at least as many a second as Centrifugo and nchan", accepting, most=1, less=True)
    yield from _latency(results, peers)
    yield from _processes(results)


def _worst(asked: str, ratios: Sequence[tuple[float, str, Cell]], *, most: float, less: bool = False) -> Sequence[str]:
    if not ratios:
        return asked, "not compared", "no"
    ratio, name, cell = max(ratios)
    found = f"one to {ratio:.1f} of" if less else f"{ratio:.2f} times"
    held = sum(each <= most for each, _, _ in ratios)
    return (
        asked,
        f"{found} {name}'s at {cell_name(cell)}, the worst; {held} of {len(ratios)} hold",
        yes_or_no(ratio <= most),
    )


def _ratios(results: Results, what: What, of: Figure, others: Sequence[str]) -> list[tuple[float, str, Cell]]:
    """Tandem's figure by that of others, who are named, wherever both were measured."""
    return [
        (ratio, name, cell)
        for cell in figures.cells(results)
        for name in others
        if (ratio := figures.ratio(results, TANDEM, name, what, of, cell))
    ]


def _memory(results: Results) -> Iterator[Sequence[str]]:
    most = max((sockets for _, sockets in figures.cells(results)), default=0)
    for devices in sorted({devices for devices, sockets in figures.cells(results) if sockets == most}):
        found = figures.spread(results, TANDEM, "idle", figures.kib("servers"), (devices, most))
        if found is not None:
            asked = f"an idle socket: at most {KIB_MOST} KiB"
            yield (
                asked,
                f"{found.median:.1f} KiB at {cell_name((devices, most))}",
                yes_or_no(found.median <= KIB_MOST),
            )


def _latency(results: Results, peers: Sequence[str]) -> Iterator[Sequence[str]]:
    saturated = figures.spread(results, TANDEM, "flat", figures.a_second, figures.lowest(results))
    rates = [rate for rate in figures.rates(results) if saturated is not None and rate <= saturated.median / 2]
    measured = [(rate, ours) for rate in rates if (ours := figures.latency(results, TANDEM, rate, "p99")) is not None]
    if not measured:
        return
    rate, ours = measured[-1]
    better = [
        f"{name} {theirs.median:.1f}"
        for name in peers
        if (theirs := figures.latency(results, name, rate, "p99")) is not None and theirs.median < ours.median
    ]
    asked = "latency at half of saturation: 99th percentile at most every peer's"
    found = f"{ours.median:.1f} ms at {rate:,.0f} frames a second" + (f"; {', '.join(better)}" if better else "")
    yield asked, found, yes_or_no(not better)


def _processes(results: Results) -> Iterator[Sequence[str]]:
    rows = [row for row in results.rows if row.what == "processes"]
    for devices in sorted({row.devices for row in rows}):
        one, two = (
            Spread.of([figures.by_the_busiest(row) for row in rows if (row.devices, row.processes) == (devices, count)])
            for count in (1, 2)
        )
        if one is not None and two is not None and one.median:
            times = two.median / one.median
            asked = f"two gateway processes: at least {PROCESSES_LEAST} times one"
            yield asked, f"{times:.2f} times with {devices} a user", yes_or_no(times >= PROCESSES_LEAST)


def yes_or_no(reached: bool) -> str:
    """How the table says it."""
    return "yes" if reached else "no"
