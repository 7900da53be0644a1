"""Owns fail points: steps at which a process dies when it was told to, so that what it leaves behind can be looked at.

`FAILPOINT=acked`, or `FAILPOINT=acked:3`, in the environment: SIGKILL as soon as the point is reached (for the third
time). For tests only. They stand where the next step is what a promise hangs on.
"""

import os
import re
import signal
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

VARIABLE: Final = "FAILPOINT"


class Point(StrEnum):
    """Where a process can be made to die."""

    COMMITTED = "committed"
    """A transaction is committed; the relay was not woken. What is written must be published all the same."""

    PUBLISHED = "published"
    """The stream has stored a message, or a whole batch, and said so; nobody has noted it, and others of its wave may
    be stored or not. The next relay must store the rest behind it, and nothing twice."""

    ACKED = "acked"
    """The stream has what some changes mean; none of them is marked. The next relay must store nothing twice."""

    CONSUMED = "consumed"
    """The handler has committed its work; no message was acknowledged. It comes again, and must change nothing."""

    GREETED = "greeted"
    """A client was told that it resumes; what it had missed was read and not sent. It must be sent that next time."""

    REPLAYING = "replaying"
    """A client was sent a part of what it had missed. It must be sent the rest, and that part not again."""


@dataclass(slots=True)
class _Trap:
    """What this process was told."""

    point: Point | None = None
    left: int = 0


_trap: Final = _Trap()


def reached(point: Point) -> None:
    """Die here, if it was told to."""
    if point is _trap.point:
        _trap.left -= 1
        if _trap.left == 0:
            sys.stderr.write(f"{last_words(point)}\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def last_words(point: Point) -> str:
    """The line that a process writes to standard error before it dies at `point`."""
    return f"{VARIABLE}: dies now, at {point}"


def arm() -> None:
    """Do as the environment says, from now on; or end the process with exit code 2 if that makes no sense."""
    value = os.environ.get(VARIABLE, "")
    if not value:
        return
    told = re.fullmatch(rf"({'|'.join(Point)})(?::([1-9]\d*))?", value, re.ASCII)
    if told is None:
        names = ", ".join(Point)
        sys.stderr.write(f"{VARIABLE}: must be one of {names}, or such a name and :count (given: {value!r})\n")
        raise SystemExit(2)
    _trap.point, _trap.left = Point(told[1]), int(told[2] or 1)
