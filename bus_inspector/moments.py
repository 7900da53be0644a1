"""Owns reading what people type for a time, a place in the stream or a user."""

import datetime as dt
import re

from bus_inspector.errors import BadInput
from contracts.subjects import InvalidUserId, UserId, user_id

_AGO = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

SEQUENCE_DIGITS = 19
"""Digits of a sequence that a person can mean; JetStream's have 64 bits."""


def moment(text: str, *, now: dt.datetime) -> dt.datetime:
    """`10m` is ten minutes ago; otherwise RFC 3339, in UTC if no zone is given.

    Raises:
        BadInput: it is neither.
    """
    if ago := _AGO.fullmatch(text):
        try:
            return now - dt.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            raise BadInput(f"{text} is before the beginning of time") from None
    try:
        given = dt.datetime.fromisoformat(text)
        return given.replace(tzinfo=dt.UTC) if given.tzinfo is None else given.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise BadInput(f"{text!r} is no time: write 90s, 10m, 3h, 2d or 2026-01-31T12:00:00Z") from None


def place(text: str, *, now: dt.datetime) -> int | dt.datetime:
    """A sequence of the stream, or what `moment` reads.

    Raises:
        BadInput: it is neither.
    """
    if text.isascii() and text.isdigit() and len(text) <= SEQUENCE_DIGITS:
        return int(text)
    return moment(text, now=now)


def user(text: str) -> UserId:
    """Whom an option names.

    Raises:
        BadInput: nobody can be called that.
    """
    try:
        return user_id(text)
    except InvalidUserId as error:
        raise BadInput(str(error)) from None
