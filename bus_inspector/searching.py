"""Owns finding a message by its id. The stream has no index of ids, so a search reads what was stored since a time."""

import datetime as dt
import re

from bus_inspector.decoding import MESSAGE_ID, read_json
from bus_inspector.errors import BadInput
from bus_inspector.reading import Stored, StreamReader
from contracts.events import EVENT_ID_PATTERN
from contracts.subjects import UserId, user_filter


def event_id(text: str) -> str:
    """An id as somebody typed it.

    Raises:
        BadInput: nothing has such an id.
    """
    if re.fullmatch(EVENT_ID_PATTERN, text) is None:
        raise BadInput(f"{text!r} is no id: it would be visible ASCII, at most 128 characters")
    return text


async def find(reader: StreamReader, which: str, *, since: dt.datetime, whose: UserId | None = None) -> Stored | None:
    """The message with this id among those that were stored since then, and for `whose` if that is given."""
    subjects = user_filter(whose) if whose is not None else None
    async for messages in reader.read(after=await reader.before(since), subjects=subjects):
        for stored in messages:
            if which in (stored.headers.get(MESSAGE_ID), stored.headers.get("ce-id")):
                return stored
    return None


async def about(reader: StreamReader, row: str, *, since: dt.datetime, whose: UserId | None = None) -> list[Stored]:
    """The messages that tell of the row with this id, an item or an answer, among those that were stored since then."""
    subjects = user_filter(whose) if whose is not None else None
    needle = row.encode()
    return [
        stored
        async for messages in reader.read(after=await reader.before(since), subjects=subjects)
        for stored in messages
        if needle in stored.body and _tells_of(stored.body, row)
    ]


def _tells_of(body: bytes, row: str) -> bool:
    try:
        data, _ = read_json(body)
    except ValueError:
        return False
    match data:
        case {"id": found} | {"answer": {"id": found}}:
            return bool(found == row)
    return False
