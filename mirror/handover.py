"""Owns what the old system and the mirror agree on: a Redis stream, and what an entry of it says.

Imported within the old system: the standard library alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

KEY: Final = "tandem:mirror"
"""The Redis stream."""

LENGTH: Final = 100_000
"""Entries that Redis keeps at most while nobody takes them: of half a KiB each some 50 MiB."""

GROUP: Final = "user_"
"""How the name of a user's group begins; the rest is the user's id."""

FIELD: Final = "sent"
"""The one field of an entry."""


class Unreadable(ValueError):
    """An entry is not one of ours."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One `group_send` to a user. `data` is what the frontend gets."""

    user: str
    event: str
    data: Any


def written(group: str, message: Mapping[str, Any]) -> str | None:
    """What an entry says of a `group_send`; None if that told no user of an event.

    Raises:
        TypeError, ValueError: the data cannot be said in JSON.
    """
    if not group.startswith(GROUP) or "event" not in message:
        return None
    sent = {"user": group.removeprefix(GROUP), "event": message["event"], "data": message.get("data")}
    return json.dumps(sent, allow_nan=False)


def read(text: str | bytes) -> Sent:
    """What an entry says.

    Raises:
        Unreadable: it is not one of ours.
    """
    try:
        said = json.loads(text)
        return Sent(str(said["user"]), str(said["event"]), said["data"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"an entry of {KEY} is not what mirror.layer writes: {error!r}") from error
