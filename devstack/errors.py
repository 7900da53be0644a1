"""Owns what can go wrong when the system is started; each error is one line that tells a person what to do.

StackError              exit code 1
├── BadSetting          exit code 2: an environment variable holds what it must not
├── PortInUse           somebody else listens where we want to
├── DataDirectoryInUse  somebody else works in our directory
├── NotRunning          there is no server to talk to, or no program to run
├── NotReady            a child lives, but did not become ready in time
└── ChildEnded          a child ended although nobody stopped it
"""

import signal
from typing import ClassVar


class StackError(Exception):
    """The system cannot be started, or cannot go on."""

    exit_code: ClassVar[int] = 1


class BadSetting(StackError):
    """An environment variable holds what it must not; the message starts with its name."""

    exit_code = 2


class PortInUse(StackError):
    """Something listens on a port that we need."""


class DataDirectoryInUse(StackError):
    """Processes that are not ours work in a directory that we need for ourselves."""


class NotRunning(StackError):
    """There is no server to talk to, or no program to run."""


class NotReady(StackError):
    """A child is alive but did not become ready before its deadline."""


class ChildEnded(StackError):
    """A child ended although nobody stopped it."""

    def __init__(self, name: str, returncode: int) -> None:
        super().__init__(f"{name} {ending(returncode)}")
        self.name = name
        self.returncode = returncode


def ending(returncode: int) -> str:
    """Say how a process ended, from its return code as `subprocess` gives it (minus the signal's number)."""
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:  # a real-time signal has a number but no name
        return f"was killed by signal {-returncode}"
