"""Owns every subject and stream name; no other module spells one.

A subject is made only from a `UserId`, and a `UserId` only by `user_id`, which refuses the characters by
which one user could read another: `.` adds a token, `*` and `>` are wildcards, blanks and line ends start a
new protocol line.
"""

import re
from typing import Literal, NewType, get_args

UserId = NewType("UserId", str)
"""A checked user id: 1 to 64 of `A-Z a-z 0-9 _ -`. Safe as one token of a subject."""

Source = Literal["connection", "inbox"]
"""The service that an event comes from, and the last token of its subject."""

SOURCES: tuple[Source, ...] = get_args(Source)

USER_ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
_USER_ID = re.compile(USER_ID_PATTERN.rstrip("$") + r"\Z")  # `$` alone would let a trailing line end pass

EVENTS_STREAM = "EVENTS"
EVENTS_FILTER = "events.*.*"
REPUBLISH_SOURCE = "events.>"
REPUBLISH_DESTINATION = "push.>"

DEADLETTERS_STREAM = "DEADLETTERS"
DEADLETTERS_FILTER = "deadletters.>"

REVOCATIONS_STREAM = "REVOCATIONS"
REVOCATIONS_FILTER = "revoked.*"

INBOX_CONSUMER = "inbox-service"

PUSH_INSPECTION = "inspect.push"
"""Where each gateway is asked what it knows of a user; each answers for itself."""

EVENT_ADDRESS = "events.{user_id}.{source}"
PUSH_ADDRESS = "push.{user_id}.{source}"
DEADLETTER_ADDRESS = "deadletters.{consumer}"
REVOCATION_ADDRESS = "revoked.{user_id}"
"""The subjects with their variable tokens named, as AsyncAPI writes an address."""


class InvalidUserId(ValueError):
    """A user id with characters or a length that no subject may carry."""

    def __init__(self, text: object) -> None:
        super().__init__(f"{text!r} is not a user id: use 1 to 64 of A-Z, a-z, 0-9, '_' and '-'")


class UnknownSubject(ValueError):
    """A subject that does not have the form that it should have where it was found."""


def user_id(text: object) -> UserId:
    """Check `text` and return it as a user id.

    Raises:
        InvalidUserId: `text` is not a string of 1 to 64 of `A-Z a-z 0-9 _ -`.
    """
    if not isinstance(text, str) or _USER_ID.match(text) is None:
        raise InvalidUserId(text)
    return UserId(text)


def event_subject(user: UserId, source: Source) -> str:
    """Where `source` publishes the events addressed to `user`."""
    return f"events.{user}.{source}"


def source_filter(source: Source) -> str:
    """All events of one source, whoever they are addressed to."""
    return f"events.*.{source}"


def user_filter(user: UserId) -> str:
    """All stored events addressed to `user`, of any source."""
    return f"events.{user}.*"


def push_filter(user: UserId) -> str:
    """The live copies of all events addressed to `user`."""
    return f"push.{user}.*"


def relay_nudge(source: Source) -> str:
    """Where a process tells the active relay of its service that it has committed something."""
    return f"relay.{source}"


def dead_letter_subject(consumer: str) -> str:
    """Where `consumer` keeps the messages that it could not process."""
    return f"deadletters.{consumer}"


def revocation_subject(user: UserId) -> str:
    """Where it is said that the tokens of `user` are good no longer."""
    return f"revoked.{user}"


def revoked_user(subject: str) -> UserId:
    """Take `revoked.<user_id>` apart.

    Raises:
        UnknownSubject: the subject has another form.
    """
    match subject.split("."):
        case ["revoked", user] if _USER_ID.match(user):
            return UserId(user)
    raise UnknownSubject(f"{subject!r} is not {REVOCATION_ADDRESS}")


def addressee(subject: str) -> tuple[UserId, Source]:
    """Take `events.<user_id>.<source>` or `push.<user_id>.<source>` apart.

    Raises:
        UnknownSubject: the subject has another form or an unknown source.
    """
    match subject.split("."):
        case ["events" | "push", user, source] if source in SOURCES and _USER_ID.match(user):
            return UserId(user), source
    raise UnknownSubject(f"{subject!r} is not events.<user_id>.<source>, source one of {', '.join(SOURCES)}")


def source_of(event_name: str) -> str:
    """The source of an event, which its name begins with: the part before the first `_` or `:`."""
    return re.split("[_:]", event_name, maxsplit=1)[0]
