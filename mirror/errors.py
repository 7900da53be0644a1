"""Owns the reasons for which the mirror ends early, and with which exit code.

MirrorError        1
├── RedisAway      1  the old system's Redis does not answer, or not as Redis does
├── BusInUse       1  the bus is that of the services: mirrored events would be taken for theirs
├── SideRefused    1  one of the two sides does not let a user in
└── BadInput       2  an option or a file that cannot be meant
"""

from typing import ClassVar


class MirrorError(Exception):
    """The mirror cannot go on; the text is the one line that it says."""

    exit_code: ClassVar[int] = 1


class RedisAway(MirrorError):
    """Redis does not answer, or not as Redis does."""


class BusInUse(MirrorError):
    """The bus is that of the services."""


class SideRefused(MirrorError):
    """A side closed a user's socket for good."""


class BadInput(MirrorError):
    """What was asked for cannot be meant."""

    exit_code = 2
