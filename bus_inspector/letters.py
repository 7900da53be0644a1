"""Owns reading the dead letters: messages that a consumer gave up, each with the reason."""

import contextlib
from urllib.parse import unquote

from bus_inspector.errors import Missing
from bus_inspector.privacy import shown_reason
from bus_inspector.reach import Reach
from bus_inspector.reading import Stored, StreamReader
from chassis.bus import Bus

REASON, SUBJECT, SEQUENCE = "Dead-Letter-Reason", "Dead-Letter-Subject", "Dead-Letter-Sequence"


async def dead_letters(reach: Reach, bus: Bus) -> list[Stored]:
    """All of them, the oldest first."""
    reader = StreamReader(bus, reach.dead_letters(bus))
    with contextlib.suppress(Missing):  # nothing has ever died
        return [stored async for messages in reader.read() for stored in messages]
    return []


async def dead_letter(reach: Reach, bus: Bus, number: int) -> Stored:
    """The one with this number.

    Raises:
        Missing: there is none.
    """
    with contextlib.suppress(Missing):
        if (stored := await StreamReader(bus, reach.dead_letters(bus)).at(number)) is not None:
            return stored
    raise Missing(f"there is no dead letter {number}")


def reason_of(letter: Stored, *, reveal: bool) -> str:
    """Why it was given up."""
    return shown_reason(unquote(letter.headers.get(REASON, "")), reveal=reveal)
