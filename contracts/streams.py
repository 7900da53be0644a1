"""Owns what the streams are like: what they hold, for how long, and what they republish."""

import datetime as dt
from dataclasses import dataclass

from contracts import subjects


@dataclass(frozen=True, slots=True)
class Shape:
    """A stream's settings, as far as they are part of the contract.

    Attributes:
        max_age: how long a message is kept, and with that how long a device may be away and still resume.
        duplicate_window: how long a second message with the same id is refused.
        republish: `(from, to)`: every stored message is sent on as a live one, with its sequence.
        latest_only: of each subject only the last message is kept.
    """

    name: str
    subjects: tuple[str, ...]
    max_age: dt.timedelta
    duplicate_window: dt.timedelta
    republish: tuple[str, str] | None = None
    latest_only: bool = False


EVENTS = Shape(
    name=subjects.EVENTS_STREAM,
    subjects=(subjects.EVENTS_FILTER,),
    max_age=dt.timedelta(days=7),
    duplicate_window=dt.timedelta(minutes=10),
    republish=(subjects.REPUBLISH_SOURCE, subjects.REPUBLISH_DESTINATION),
)
"""All events. No limit a subject: that a resume is complete must follow from the first sequence alone."""

DEADLETTERS = Shape(
    name=subjects.DEADLETTERS_STREAM,
    subjects=(subjects.DEADLETTERS_FILTER,),
    max_age=dt.timedelta(days=90),
    duplicate_window=dt.timedelta(minutes=10),
)
"""What a consumer could not process, kept long enough for somebody to look into it."""

REVOCATIONS = Shape(
    name=subjects.REVOCATIONS_STREAM,
    subjects=(subjects.REVOCATIONS_FILTER,),
    max_age=dt.timedelta(days=400),
    duplicate_window=dt.timedelta(minutes=10),
    latest_only=True,
)
"""Whose tokens were revoked, and when; one message a user. Kept for as long as any token is taken: one that was issued
longer ago than `max_age` is refused, revoked or not. 400 days are a year's token, and a month to renew it."""
