"""Owns how a command answers: tables for people, JSON for programs. Neither lets a message steer the terminal."""

import datetime as dt
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE = 10_000
"""Columns of what is not a terminal: a line there is never broken."""


class Output:
    """Where a command writes. With `as_json`, either one document or one record a line, and nothing else."""

    def __init__(self, *, as_json: bool, to: TextIO | None = None) -> None:
        self.as_json = as_json
        self._to = to or sys.stdout
        width = None if self._to.isatty() else WIDE
        self._console = Console(file=self._to, width=width, highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def on_terminal(self) -> bool:
        """Whether a person is looking."""
        return not self.as_json and self._to.isatty()

    def document(self, document: Any) -> None:
        """The whole answer as JSON."""
        self._to.write(json.dumps(document, indent=2, default=_json) + "\n")

    def records(self, records: Iterable[Any]) -> None:
        """Some records of an answer that may have no end, a line each."""
        self._to.write("".join(f"{_ENCODE(record)}\n" for record in records))
        self._to.flush()

    def lines(self, lines: Iterable[str]) -> None:
        """Some lines for a person; what is in them is shown as it is."""
        self._to.write("".join(f"{line}\n" for line in lines))
        self._to.flush()

    def say(self, text: str, *, style: str = "") -> None:
        """A line or some lines for a person."""
        self._console.print(Text(text, style=style))

    def table(self, rows: Sequence[Mapping[str, Any]], *, title: str = "", empty: str = "nothing") -> None:
        """Rows with the same columns; a cell of several lines is one."""
        if not rows:
            self.say(f"{title}: {empty}" if title else empty)
            return
        table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in rows[0]:
            table.add_column(column.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*(value if isinstance(value, Text) else Text(cell(value)) for value in row.values()))
        self._console.print(table, soft_wrap=False)


def cell(value: Any) -> str:
    """A value for a person."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case dt.datetime():
            return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
        case float():
            return f"{value:.3g}"
        case dict() | list():
            return printable(json.dumps(value, ensure_ascii=False, default=_json))
    return printable(str(value))


def printable(text: str) -> str:
    """Without what a terminal would obey: whoever can publish would otherwise write on our screen."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else str(value)


_ENCODE = json.JSONEncoder(default=_json).encode
