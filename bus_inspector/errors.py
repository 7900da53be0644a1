"""Owns the reasons for which a command ends early, and with which exit code.

InspectorError   1
├── Away         1  something that the command needs does not answer
├── Missing      1  there is no such thing
└── BadInput     2  an argument, option or variable that cannot be meant
"""

from typing import ClassVar


class InspectorError(Exception):
    """A command cannot do what it was asked; the text is the one line that it says."""

    exit_code: ClassVar[int] = 1


class Away(InspectorError):
    """NATS, a database or a stream does not answer."""


class Missing(InspectorError):
    """What was asked for is not there."""


class BadInput(InspectorError):
    """What was asked for cannot be meant."""

    exit_code = 2
