"""Owns what an examination gives."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `warn`: it works, but somebody should know; `fail`: it does not."""

    what: str
    state: State
    found: str
