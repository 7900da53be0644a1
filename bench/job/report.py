"""Owns the tables: medians of the rounds, with the least and the greatest behind them."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Final

from bench.job.rounds import PARTS, Measured, Plan
from bench.job.system import BROKER, DATABASE, System

MS: Final = 1000.0
APART: Final = (BROKER, DATABASE)


def report(
    systems: Sequence[System], absent: Sequence[tuple[str, str]], measured: Sequence[Measured], plan: Plan
) -> str:
    """Markdown: what was measured, one table a part, and how the systems compare."""
    head = (
        f"Medians of {plan.rounds} interleaved rounds, (least - greatest). CPU is that of the server processes, by the"
        " operating system's accounting, a job; all of them, PostgreSQL too, run on one core and the load on another."
    )
    lines = [
        head,
        "",
        *(f"- **{system.name}**: {system.what} ({system.version()})" for system in systems),
        *(f"- **{name}** is absent: {reason}" for name, reason in absent),
    ]
    for part in PARTS:
        title = f"{part} of {plan.rate:g} a second" if part.endswith("rate") else part
        rows = [[each for each in measured if (each.part, each.system) == (part, system.name)] for system in systems]
        lines += ["", f"### {title[0].upper()}{title[1:]}", "", *_table([row for row in rows if row])]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Sequence[Measured]]) -> Iterator[str]:
    names = list(rows[0][0].percentiles)
    heads = ["system", "a second", "CPU ms", "of it services", *(f"of it {name}" for name in APART)]
    heads += [f"{name}, p50 / p99 ms" for name in names]
    yield "| " + " | ".join(heads) + " |"
    yield "|---|" + "---:|" * (len(heads) - 1)
    for row in rows:
        cells = [_spread([each.done / each.seconds for each in row], ".0f")]
        cells.append(_cpu(row, *row[0].cpu))
        own = [name for name in row[0].cpu if name not in APART]
        cells.append(_cpu(row, *own) + (f": {_shares(row, own)}" if len(own) > 1 else ""))
        cells += [_cpu(row, name) for name in APART]
        for name in names:
            halves = ([each.percentiles[name][index] * MS for each in row] for index in (0, 1))
            cells.append(" / ".join(_spread(half, ".1f") for half in halves))
        yield f"| {row[0].system} | " + " | ".join(cells) + " |"


def _cpu(row: Sequence[Measured], *names: str) -> str:
    """Milliseconds a job of some processes together."""
    return _spread([sum(each.cpu[name] for name in names) * MS / each.done for each in row], ".2f")


def _shares(row: Sequence[Measured], names: Sequence[str]) -> str:
    return ", ".join(
        f"{name} {statistics.median(each.cpu[name] * MS / each.done for each in row):.2f}" for name in names
    )


def _spread(values: Sequence[float], form: str) -> str:
    middle = format(statistics.median(values), form)
    return f"{middle} ({min(values):{form}} - {max(values):{form}})" if len(values) > 1 else middle
