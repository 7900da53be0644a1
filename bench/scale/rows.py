"""Owns what a run leaves behind: the figures of each size and round, kept as JSON."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from bench.push.rows import Spread

What = Literal["subjects", "subscriptions", "routes", "changes"]
"""What there is more and more of: subjects in the stream, subscriptions of a connection, of another server's client,
changes that wait."""


@dataclass(frozen=True)
class Row:
    """What was measured at one size.

    Attributes:
        figures: by name; microseconds of CPU, bytes, milliseconds or how many a second, as their names say.
    """

    what: What
    size: int
    round: int
    figures: Mapping[str, float]


@dataclass
class Results:
    """Of one `make scale`.

    Attributes:
        machine: what it ran on, by name.
    """

    command: str
    machine: dict[str, str]
    rows: list[Row] = field(default_factory=list)

    def sizes(self, what: What) -> Sequence[int]:
        """Ascending."""
        return sorted({row.size for row in self.rows if row.what == what})

    def spread(self, what: What, size: int, name: str) -> Spread:
        """Over the rounds."""
        found = Spread.of([row.figures[name] for row in self.rows if (row.what, row.size) == (what, size)])
        assert found is not None, "each size was measured"
        return found

    def median(self, what: What, size: int, name: str) -> float:
        """Over the rounds."""
        return statistics.median(row.figures[name] for row in self.rows if (row.what, row.size) == (what, size))

    def save(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, file: Path) -> "Results":
        text = json.loads(file.read_text())
        return cls(**text | {"rows": [Row(**row) for row in text["rows"]]})
