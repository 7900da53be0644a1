"""Owns what was asked of the whole job, and whether a run reached it."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Final

from bench.job.rounds import AT_RATE, FLAT_OUT, Measured
from bench.job.tandem import Tandem
from bench.job.work import PARTNERS_ANSWER
from bench.push.verdicts import yes_or_no

CPU_LEAST: Final = 5.0
LATENCY_MOST: Final = 0.2
MS: Final = 1000.0


def verdicts(measured: Sequence[Measured]) -> Iterator[tuple[str, str, str]]:
    """What was asked, what was measured, and `yes` or `no`; nothing where Tandem or the old design was not measured."""
    old = sorted({each.system for each in measured} - {Tandem.name})
    if not old or not any(each.system == Tandem.name for each in measured):
        return
    times, name = min((_cpu(measured, name) / _cpu(measured, Tandem.name), name) for name in old)
    asked = f"the whole job: at least {CPU_LEAST:g} times the old design's answers for the same CPU"
    yield asked, f"{times:.2f} times {name}'s", yes_or_no(times >= CPU_LEAST)
    ours = _latency(measured, Tandem.name)
    theirs, name = min((_latency(measured, name), name) for name in old)
    asked = "the whole job: 99th percentile from POST to the partner's frame at most a fifth at the same rate"
    yield asked, f"{ours * MS:.0f} ms; {name} {theirs * MS:,.0f}", yes_or_no(ours <= LATENCY_MOST * theirs)


def _cpu(measured: Sequence[Measured], system: str) -> float:
    """Seconds of CPU an answer, flat out, of all that serves it; the median of the rounds."""
    rows = [each for each in measured if (each.system, each.part) == (system, FLAT_OUT)]
    return statistics.median(sum(each.cpu.values()) / each.done for each in rows)


def _latency(measured: Sequence[Measured], system: str) -> float:
    rows = [each for each in measured if (each.system, each.part) == (system, AT_RATE)]
    return statistics.median(each.percentiles[PARTNERS_ANSWER][1] for each in rows)
