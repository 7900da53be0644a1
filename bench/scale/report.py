"""Owns saying what was measured and what is reckoned from it: the part of docs/SCALING.md between two marks, and the
pictures beside it. The rest of that page is written by hand and states no figure."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.push.rows import Spread
from bench.scale.charts import MIB, charts
from bench.scale.measured import Bus, Gateway, relay_rate
from bench.scale.plan import FEW
from bench.scale.premises import premises
from bench.scale.reckoning import LOADS, Assumed, Reckoning, lines
from bench.scale.rows import Results, What
from devstack.errors import StackError

BEGIN: Final = "<!-- `make scale` writes what follows. -->"
END: Final = "<!-- So far. -->"

NOT_MEASURED: Final = (
    "`make bench` has saved no run here, so nothing is known of sockets: `-` stands for what needs it."
)

CURVE: Final = (("to all of them, us", "all", 1.0, 1), (f"to {FEW} users, us", "few", 1.0, 1))
RETURN: Final = (("alone, us", "alone", 1.0, 0), ("alone, ms", "alone_ms", 1.0, 2), ("in turn, us", "turn", 1.0, 1))
SUBJECTS: Final = (*CURVE, ("events a second", "rate", 1.0, 0), ("memory, MiB", "memory", MIB, 0))
SUBSCRIPTIONS: Final = (*SUBJECTS, ("subscribing, us", "subscribe", 1.0, 1))
ROUTES: Final = (("memory, MiB", "memory", MIB, 1), ("taking one, us", "subscribe", 1.0, 1))
CHANGES: Final = (
    ("changes a second", "rate", 1.0, 0), ("relay, us", "relay", 1.0, 0), ("PostgreSQL, us", "postgres", 1.0, 0),
    ("nats-server, us", "nats", 1.0, 0),
)  # fmt: skip
"""Columns: title, figure, what it is divided by, digits."""

Columns = Sequence[tuple[str, str, float, int]]


def write(results: Results, gateways: Sequence[Gateway], *, page: Path, into: Path) -> Path:
    """Write `page` with its measured part anew into the folder `into`, and the pictures into its `images`.

    Raises:
        StackError: the page has no such part.
    """
    images = into / "images"
    images.mkdir(parents=True, exist_ok=True)
    for name, chart in charts(results).items():
        (images / f"{name}.svg").write_text(chart.svg())
    written = into / page.name
    written.write_text(inserted(page.read_text(), measured(results, gateways)))
    return written


def inserted(page: str, part: str) -> str:
    """The page with `part` between its marks.

    Raises:
        StackError: it does not have them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise StackError(f"the page must have the lines '{BEGIN}' and '{END}'; the measured part goes between them")
    return f"{before}{begin}\n\n{part}\n\n{end}{after}"


def measured(results: Results, gateways: Sequence[Gateway]) -> str:
    """The part."""
    return "\n\n".join([*_measured(results, gateways), *_reckoned(results, gateways)])


def _measured(results: Results, gateways: Sequence[Gateway]) -> Iterator[str]:
    rounds = max(row.round for row in results.rows)
    yield f"`{results.command}`, medians of {rounds} round{'s' * (rounds != 1)} with the lowest and the highest:"
    yield "\n".join(f"- {name}: {value}" for name, value in results.machine.items())
    yield "### Subjects in the stream"
    yield _table(results, "subjects", SUBJECTS)
    yield bend(results, "subjects")
    yield "![CPU an event](images/scale-event.svg)\n![memory](images/scale-memory.svg)"
    yield "### Subscriptions of one connection"
    yield _table(results, "subscriptions", SUBSCRIPTIONS)
    yield bend(results, "subscriptions")
    yield "### Subscriptions of another server's clients"
    yield "In a cluster of two, at the server that has none of these clients."
    yield _table(results, "routes", ROUTES, sizes="subscriptions")
    yield "### Coming back"
    yield "One event of one user, read alone behind so many events of others; and events of everybody, read in turn."
    yield _table(results, "subjects", RETURN, sizes="events before")
    yield "![coming back](images/scale-return.svg)"
    yield "### One relay"
    yield _table(results, "changes", CHANGES, sizes="changes that wait")
    yield "![one relay](images/scale-relay.svg)"
    yield "### Sockets of one gateway"
    yield _sockets(gateways)


def _sockets(gateways: Sequence[Gateway]) -> str:
    if not gateways:
        return NOT_MEASURED
    rows = [
        [f"{each.sockets:,}", f"{each.delivered_us:.1f}", f"{each.opened_us:.0f}", f"{each.kib:.1f}"]
        for each in gateways
    ]
    head = ["sockets, one a user", "delivering, us", "opening, us", "KiB a socket"]
    return "The gateway's own, from the last `make bench` (`docs/PERFORMANCE.md`):\n\n" + _lines(head, rows)


def _reckoned(results: Results, gateways: Sequence[Gateway]) -> Iterator[str]:
    assumed, bus = Assumed(), Bus.of(results)
    gateway = gateways[-1] if gateways else None
    needs = [Reckoning(load, bus, gateway, relay_rate(results), assumed) for load in LOADS]
    yield "### What follows for more users"
    yield "Reckoned from the greatest sizes above; nothing in this table was measured at these sizes."
    yield _lines(["it starts from", "", "source"], premises(bus, gateway, relay_rate(results), assumed))
    rows = [[line.name, *map(_rough, line.figures), line.how] for line in lines(needs, assumed)]
    yield _lines(["at the busiest time", *(load.name for load in LOADS), "how"], rows)


def bend(results: Results, what: What) -> str:
    """How far the cost of an event follows the size, and what of that is the size's own."""
    sizes = results.sizes(what)
    first, last = sizes[0], sizes[-1]
    low, high = max(itertools.pairwise(sizes), key=lambda step: _grows(results, what, "all", *step))
    grown = {name: results.median(what, last, name) - results.median(what, first, name) for name in ("all", "few")}
    said = (
        f"From {first:,} to {last:,} an event to any of them costs {_grows(results, what, 'all', first, last):.2f}"
        f" times as much, and one to the same {FEW} users {_grows(results, what, 'few', first, last):.2f} times; the"
        f" steepest step is from {low:,} to {high:,}, {_grows(results, what, 'all', low, high):.2f} times."
    )
    if results.spread(what, first, "all").rounds == 1:
        return said + " After one round nobody knows what of this is noise."
    if results.spread(what, last, "all").median <= results.spread(what, first, "all").high:
        return said + " That is within what the rounds at the first size differ by: no bend was seen."
    own = max(grown["few"] / grown["all"], 0)
    if own >= 1:
        return said + " It is the same for those few: the growth is the size's own."
    return said + (
        f" So {own:.0%} of the growth is there for those few too: that is the size's own. The rest comes only where"
        " each event is for somebody else: what it needs is in no cache any more."
    )


def _grows(results: Results, what: What, name: str, low: int, high: int) -> float:
    return results.median(what, high, name) / results.median(what, low, name)


def _table(results: Results, what: What, columns: Columns, *, sizes: str = "") -> str:
    """A line a size; `sizes` says what they are sizes of, where the name of what was measured does not."""
    rows = [
        [f"{size:,}", *(_figure(results.spread(what, size, name), by, digits) for _, name, by, digits in columns)]
        for size in results.sizes(what)
    ]
    return _lines([sizes or what, *(title for title, *_ in columns)], rows)


def _figure(spread: Spread, by: float, digits: int) -> str:
    median, low, high = (f"{value / by:,.{digits}f}" for value in (spread.median, spread.low, spread.high))
    return f"{median} ({low} to {high})" if spread.rounds > 1 else median


def _rough(value: float | None) -> str:
    """Two digits where there is a fraction: a reckoning has no more."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))
