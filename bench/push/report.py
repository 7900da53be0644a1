"""Owns saying what was measured: docs/PERFORMANCE.md with its tables, and the pictures beside it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.push import figures
from bench.push.accepting import QUESTION, STEPS
from bench.push.charts import charts
from bench.push.figures import Cell, Figure
from bench.push.plan import SLOW
from bench.push.rows import Results, Spread, What
from bench.push.verdicts import TANDEM, verdicts

HOW: Final = f"""\
One load generator in C ([`load.c`](../bench/push/native/load.c)) opens WebSockets, publishes events of 230 bytes and
checks of every socket that it is sent exactly its user's events, once and in order. A contender's servers share one
core with their broker; the load generator has the other one. CPU is what the kernel has counted for the servers'
processes and all that descends from them, so a slow load generator flatters nobody; and nobody pays for waking it, as
it sleeps by the clock. Each round starts each contender anew, one after the other, so that whatever the machine does
meanwhile it does to all. A figure is the median of the rounds, with the lowest and the highest behind it; one that
stands alone is of the first round: who takes more than {SLOW:g} s to open so many sockets is not asked to again. *As
fast as they are taken* keeps as many frames on their way as there are sockets, at most 2,000 events: nobody is asked to
join several frames for one socket. Latency counts from the moment when an event should have been published; it contains
up to 0.05 ms of the load generator's sleep, and with Tandem and the floor the disk."""


LEFT: Final = "what is left: the socket itself, tasks, timers, and a share of a question"

STEP_BY_STEP: Final = """\
What of it goes where at Tandem, with the fewest sockets and devices: each step by itself, over and over, which is
kinder to the caches than a gateway can be."""

PROCESSES: Final = """\
The gateway as so many processes (`PUSH_WORKERS`) on both cores, which its broker and the load generator need as well:
so what two can do is not seen in frames a second here. It is what the busiest process has to do for a frame: a process
is full when its core is."""

WHY: Final = {
    "CPU a delivered event": """\
- *A delivered event*: NATS's WebSocket is the broker itself. What it delivers was never sent to anybody else first; a
  gateway reads it, sees that it follows the one before, and makes another frame of it. With ten devices a user that is
  shared by ten, and costs less than the broker's own.""",
    "at most 1.5 times the floor's": """\
- *The floor* does nothing but the kernel's work: one read, one write a frame. With one device a user Tandem's gateway
  has for each frame that write, and besides a transport and a handful of Python objects, which do not stay in the
  core's caches over thousands of users. With ten devices a user it is shared by ten. To write past the event loop's
  transport would save a part of it, and could write to somebody else's socket: a descriptor is used again as soon as it
  is closed.""",
    "accepting sockets": """\
- *Accepting* is Python, and its core is full: below is what each step takes. nchan is asked for no token and has no
  broker. Centrifugo checks a token and subscribes at its broker, as Tandem does, in Go. Here the stream's leader is
  asked besides where the stream stands, before the client is greeted with its position.""",
    "latency at half of saturation": """\
- *Latency* is that of the publisher, which works as a relay does: a batch at a time, the next one when the one before
  is stored. Up to 2,000 a second it is the disk's, as `tandem_unsynced` shows; beyond that it is the length of a batch,
  for the floor as well. The peers keep nothing, or in memory, and wait for nobody.""",
    "two gateway processes": """\
- *Two processes* share the work of a frame, but on two cores with their broker and the load they are never full: each
  is woken for half as many frames, so what a wake-up costs is shared by fewer; and of a user with ten devices both have
  some, and each reads the event. Four cores would show two processes that are full.""",
    "the whole job: at least": """\
- *An answer* is for two fifths connection_service: one request through FastAPI, pydantic and SQLAlchemy, in which no
  step is large. The rest is what it buys: the change captured in the database, carried by a relay to a stream on disk
  and made an item by another service. The largest part of the broker's share is to make and take away a directory for
  each atomic batch ([0023](decisions/0023-atomic-batches.md)).""",
    "the whole job: 99th percentile": """\
- *From POST to the frame* an answer waits for the disk twice, in PostgreSQL and in the stream; the old design's waits
  once, and is told before the request is answered. Where the old design keeps up with the rate nobody queues for it,
  and five times sooner is out of reach. How much of the slowest of a hundred is the disk's was not measured apart.""",
}
"""The reason, by the beginning of what was asked, for what is not reached."""


def write(results: Results, folder: Path) -> Path:
    """Write PERFORMANCE.md into `folder`, and the pictures into its `images`; returns the former."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for name, chart in charts(results).items():
        (images / f"{name}.svg").write_text(chart.svg())
    page = folder / "PERFORMANCE.md"
    page.write_text(text(results))
    return page


def text(results: Results) -> str:
    """The page."""
    parts = [*_head(results), *_cpu(results), *_sockets(results), *_latency(results)]
    parts += [*_processes(results), *_load(results)]
    if results.job:
        parts += ["## The whole job", results.job]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _head(results: Results) -> Iterator[str]:
    rounds = max((row.round for row in results.rows), default=0)
    yield "# Performance"
    yield HOW
    yield f"`{results.command}`, {rounds} round{'s' * (rounds != 1)}:"
    yield "\n".join(f"- {name}: {value}" for name, value in results.machine.items())
    rows = [[name, results.what[name], results.versions[name], _verdict(results, name)] for name in results.what]
    rows += [[name, "absent", "", reason] for name, reason in results.absent.items()]
    yield _table(["contender", "what it is", "versions", "verdict"], rows)
    yield "## What was asked for"
    asked = [*verdicts(results), *results.of_job]
    yield _table(["asked", "measured", "reached"], asked)
    yield _why([what for what, _, reached in asked if reached == "no"])


def _why(missed: Sequence[str]) -> str:
    """The reasons for what was not reached; what has none is named too."""
    known = (
        next((reason for start, reason in WHY.items() if what.startswith(start)), f"- *{what}*: unknown.")
        for what in missed
    )
    reasons = dict.fromkeys(known)
    return "\n".join(["Why not, where it was not reached:\n", *reasons]) if reasons else ""


def _cpu(results: Results) -> Iterator[str]:
    slowest = min(figures.rates(results), default=0)
    yield "## CPU a delivered event"
    yield "Microseconds of the servers alone, as fast as events are taken."
    yield _by_cell(results, "flat", figures.us, digits=1)
    yield "![CPU a delivered event](images/push-cpu.svg)\n![with ten devices a user](images/push-cpu-10.svg)"
    yield "Tandem's by theirs:"
    yield _ratios(results)
    yield "With the broker, which for Tandem and the floor stores every event:"
    yield _by_cell(results, "flat", figures.us_with_broker, digits=1)
    yield f"The servers alone at {slowest:,.0f} frames a second, where hardly two come together:"
    yield _by_cell(results, "steady", figures.us, digits=1, rate=slowest)
    yield "## Frames a second"
    yield (
        "As fast as they are taken, servers and broker on one core. Where a contender brings a publisher of its own, in"
        " Python and on the load's core, that may be what is slow."
    )
    yield _by_cell(results, "flat", figures.a_second, digits=0)
    yield "![frames a second](images/push-throughput.svg)"


def _sockets(results: Results) -> Iterator[str]:
    yield "## Memory of an idle socket"
    yield "KiB (PSS) of the servers beyond what they had before the first socket."
    yield _by_cell(results, "idle", figures.kib("servers"), digits=1)
    yield "![memory of an idle socket](images/push-memory.svg)"
    yield "KiB of the broker:"
    yield _by_cell(results, "idle", figures.kib("brokers"), digits=1)
    yield "KiB of the kernel, for both ends of a socket:"
    yield _by_cell(results, "idle", figures.kib("kernel"), digits=1)
    yield "## Accepting sockets"
    yield "Sockets a second, 64 at a time, each until it is greeted."
    yield _by_cell(results, "open", figures.a_second, digits=0)
    yield "Microseconds of the servers' CPU for one:"
    yield _by_cell(results, "open", figures.us, digits=0)
    yield from _steps(results)
    yield f"Closed instead of greeted, and opened once more: {figures.counted(_refused(results)) or 'none'}."
    yield "## Coming back"
    yield "Sockets a second that missed ten events each, until all of them have these."
    yield _by_cell(results, "again", figures.a_second, digits=0)
    yield "Microseconds of the servers' CPU for one:"
    yield _by_cell(results, "again", figures.us, digits=0)


def _steps(results: Results) -> Iterator[str]:
    """What of Tandem's CPU for a socket goes where."""
    rows = results.of(TANDEM, "step")
    whole = figures.spread(results, TANDEM, "open", figures.us, figures.lowest(results))
    if not rows or whole is None:
        return
    found = {name: Spread.of([figures.us(row) for row in rows if row.step == name]) for name in STEPS}
    known = {name: spread for name, spread in found.items() if spread is not None}
    rest = whole.median - sum(spread.median for name, spread in known.items() if name != QUESTION)
    yield STEP_BY_STEP
    yield _table(
        ["step", "us"],
        [
            *([name, _figure(spread, 0)] for name, spread in known.items()),
            [LEFT, f"{rest:,.0f}"],
        ],
    )


def _latency(results: Results) -> Iterator[str]:
    devices, sockets = figures.lowest(results)
    yield "## Latency"
    yield (
        f"Milliseconds at so many frames a second, the median and the 99th percentile, with {sockets:,} sockets and"
        f" {devices} a user. Who could not keep up has no figure."
    )
    rates = figures.rates(results)
    rows = [[name, *(_percentiles(results, name, rate) for rate in rates)] for name in results.what]
    yield _table(["contender", *(f"{rate:,.0f}/s" for rate in rates)], rows)
    yield "![latency](images/push-latency.svg)"


def _processes(results: Results) -> Iterator[str]:
    rows = [row for row in results.rows if row.what == "processes"]
    if not rows:
        return
    yield "## Several processes"
    yield PROCESSES
    table = []
    for devices, processes in sorted({(row.devices, row.processes) for row in rows}):
        found = [row for row in rows if (row.devices, row.processes) == (devices, processes)]
        shares = [figures.by_the_busiest, figures.a_second, figures.share_of_load, figures.share_of_broker]
        spreads = [Spread.of([of(row) for row in found]) for of in shares]
        wrong = sum(sum(row.wrong.values()) for row in found)
        shown = [_figure(each, 0) for each in spreads if each is not None]
        table.append([f"{processes} / {devices}", *shown, str(wrong) if wrong else "none"])
    heads = ["frames for each second of the busiest's CPU", "frames a second", "% of a core: load", "broker", "wrong"]
    yield _table(["processes / devices a user", *heads], table)


def _load(results: Results) -> Iterator[str]:
    yield "## The load generator"
    yield "Microseconds of its own CPU a frame, publishing included; it has a core for itself."
    yield _by_cell(results, "flat", figures.us_of_load, digits=1)
    used = max(
        (row.cpu.deferred / row.seconds for row in results.rows if row.what == "flat" and row.seconds), default=0
    )
    yield (
        f"What the kernel put off and did later on the servers' core, on nobody's account, was at most {used:.1%} of a"
        " core in any run."
    )


def _verdict(results: Results, name: str) -> str:
    """Whether it delivered everything, once and in order; and how far it got."""
    wrong = figures.counted(figures.faults(results, name))
    failures = [f"failed at {row.sockets:,} sockets: {row.failure}" for row in results.of(name, "failed")]
    said = [f"**disqualified**: {wrong}"] if wrong else [] if failures else ["every frame, once and in order"]
    return "; ".join([*said, *dict.fromkeys(failures)])


def _by_cell(results: Results, what: What, of: Figure, *, digits: int, rate: float = 0) -> str:
    """A table of the contenders by sockets and devices."""
    cells = figures.cells(results)

    def shown(name: str, cell: Cell) -> str:
        if wrong := figures.counted(figures.faults(results, name, cell)):
            return f"disqualified: {wrong}"
        found = figures.spread(results, name, what, of, cell, rate)
        return _figure(found, digits) if found is not None else "-"

    rows = [
        [name, *(shown(name, cell) for cell in cells)]
        for name in results.what
        if results.of(name, what) or results.of(name, "failed")
    ]
    return _table(["sockets / devices a user", *map(figures.cell_name, cells)], rows)


def _ratios(results: Results) -> str:
    """Tandem's CPU a delivered event by that of everybody else."""
    cells, rows = figures.cells(results), []
    for name in results.what:
        ratios = [figures.ratio(results, TANDEM, name, "flat", figures.us, cell) for cell in cells]
        if name != TANDEM and any(ratios):
            rows.append([name, *("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios)])
    return _table(["sockets / devices a user", *map(figures.cell_name, cells)], rows)


def _percentiles(results: Results, name: str, rate: float) -> str:
    found = [figures.latency(results, name, rate, which) for which in ("p50", "p99")]
    return " / ".join("-" if each is None else _ms(each.median) for each in found) if any(found) else "-"


def _refused(results: Results) -> dict[str, int]:
    return {name: sum(row.refused for row in results.rows if row.contender == name) for name in results.what}


def _figure(spread: Spread, digits: int) -> str:
    median, low, high = (f"{value:,.{digits}f}" for value in (spread.median, spread.low, spread.high))
    return f"{median} ({low} to {high})" if spread.rounds > 1 else median


def _ms(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
