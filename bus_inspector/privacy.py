"""Owns what is shown of what people wrote: nothing, unless it is asked for.

By a list of what may be seen, not of what may not: a field that is new to the contract stays hidden.
"""

import re
from typing import Any

VISIBLE = frozenset(
    {
        *("id", "connection_id", "partnership_id", "author_id", "recipient_id", "sender_id", "members", "user_id"),
        *("answer", "connection", "answers", "date", "question", "question_id", "time_zone", "number", "revision"),
        *("kind", "is_read", "read_at", "created_at", "updated_at", "left_at", "ended_at", "unread_count"),
        "source_event",
    }
)
"""Ids, states and times, what contains them, and questions, which are the same for everybody."""

_KNOWN_REASON = re.compile(r"(InvalidEvent|InvalidUserId|ValidationError|Undeliverable): [^\n]*")
"""Errors of ours, whose first line names headers and fields and no content; PostgreSQL's quote the row."""


def shown(value: Any) -> Any:
    """JSON with everything hidden that a person may have written."""
    if isinstance(value, dict):  # a `match` of every value takes three times as long
        return {name: shown(part) if name in VISIBLE else hidden(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shown(part) for part in value]
    return value


def hidden(value: Any) -> Any:
    """Tells how much there is, and not what. Nothing hides nothing."""
    match value:
        case None | bool():
            return value
        case str():
            return f"({len(value)} characters)"
        case dict() | list():
            return f"({len(value)} {'fields' if isinstance(value, dict) else 'parts'})"
    return "(hidden)"


def shown_reason(text: str, *, reveal: bool) -> str:
    """Why something could not be processed, as far as it cannot quote what somebody wrote."""
    if reveal:
        return text
    known = _KNOWN_REASON.match(text)
    return known[0] if known else f"{text.partition(':')[0]} (--reveal shows more)"
