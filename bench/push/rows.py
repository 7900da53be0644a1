"""Owns what a run leaves behind: one row a measurement, and what it was measured on, kept as JSON."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

from bench.push.accounting import Cpu, Memory

What = Literal["open", "idle", "steady", "flat", "again", "end", "failed", "processes", "step"]
"""Sockets were opened; nothing happened; events came at a rate, or as fast as they were taken; sockets that had been
away were opened again; the turn was over; it did not get so far; events came as fast as they were taken, on all cores
and to several processes; clients were let in, a single step of it."""

NOTHING: Final = Cpu(0, 0, 0)


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        sockets: that were open, or were to be.
        rate: frames a second that were asked for; 0 if as many as were taken.
        count: sockets opened, or frames delivered.
        seconds: that this took.
        refused: how often a socket was closed instead of greeted, and was opened once more.
        generator: CPU seconds of the load generator.
        memory: at its end, beyond what there was before the first socket; of `idle`.
        ms: latencies; of `steady` and `flat`.
        wrong: how often what was not as it should be.
        failure: why it did not get so far; of `failed`.
        step: which one; of `step`.
        processes: of the servers; of `processes`, as is `busiest`: CPU seconds of the busiest of them.
    """

    contender: str
    round: int
    devices: int
    sockets: int
    what: What
    rate: float = 0
    count: int = 0
    seconds: float = 0
    refused: int = 0
    cpu: Cpu = NOTHING
    generator: float = 0
    memory: Memory | None = None
    ms: Mapping[str, float] = field(default_factory=dict)
    wrong: Mapping[str, int] = field(default_factory=dict)
    failure: str = ""
    step: str = ""
    processes: int = 1
    busiest: float = 0

    @property
    def kept_up(self) -> bool:
        """Whether frames were delivered at the rate that was asked for."""
        return self.count >= 0.95 * self.rate * self.seconds


@dataclass(frozen=True)
class Spread:
    """The median of several rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        return cls(statistics.median(values), min(values), max(values), len(values)) if values else None


@dataclass
class Results:
    """Of one `make bench`.

    Attributes:
        machine: what it ran on, by name.
        versions: of each contender that took part.
        what: one line on each of these.
        absent: why others did not.
        job: the part of the page that says how the whole job was done; empty if that was not measured.
        of_job: what was asked of it, what was measured, and whether that was reached.
    """

    command: str
    machine: dict[str, str]
    what: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    job: str = ""
    of_job: list[Sequence[str]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def of(self, contender: str, what: What) -> list[Row]:
        """All rows of a contender of one kind."""
        return [row for row in self.rows if row.contender == contender and row.what == what]

    def save(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, file: Path) -> "Results":
        text = json.loads(file.read_text())
        return cls(**text | {"rows": [_row(row) for row in text["rows"]]})


def _row(row: Mapping[str, object]) -> Row:
    cpu, memory = row["cpu"], row["memory"]
    assert isinstance(cpu, dict), "as it was saved"
    read = dict(row) | {"cpu": Cpu(**cpu), "memory": Memory(**memory) if isinstance(memory, dict) else None}
    return Row(**read)  # type: ignore[arg-type]
