"""Owns what the stream makes of an inbox: each item as the last event about it left it, event by event."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bus_inspector.decoding import Decoded
from contracts.events import InboxItem, InboxItemDeleted, InboxUnread
from contracts.subjects import UserId


@dataclass(frozen=True, slots=True)
class Known:
    """An item as the stream knows it. `item` is None once it was removed."""

    item: InboxItem | None
    seq: int
    at: dt.datetime


@dataclass(slots=True)
class Inbox:
    """One user's inbox, as far as the stream tells of it. `unread` is what its owner was told last, and where."""

    items: dict[str, Known] = field(default_factory=dict)
    unread: tuple[int, int] | None = None

    def take(self, decoded: Decoded) -> None:
        """The next event of this user; what is none, or of no inbox, changes nothing."""
        event = decoded.event
        if event is None or decoded.problems:
            return
        match event.data():
            case InboxItem() as item:
                self.items[str(item.id)] = Known(item, decoded.stored.seq, event.time)
            case InboxItemDeleted(id=which):
                self.items[str(which)] = Known(None, decoded.stored.seq, event.time)
            case InboxUnread(unread_count=count):
                self.unread = count, decoded.stored.seq

    @property
    def present(self) -> list[InboxItem]:
        """The items that are there, the newest first."""
        there = [known.item for known in self.items.values() if known.item is not None]
        return sorted(there, key=lambda item: str(item.id), reverse=True)


@dataclass(frozen=True, slots=True)
class Held:
    """An item that an inbox held at a moment. `certain` is why its fields are what they were then; or why they may not
    be."""

    item: Mapping[str, Any]
    certain: bool
    how: str


def held_at(moment: dt.datetime, then: Inbox, later: Inbox, rows: Mapping[str, Mapping[str, Any]]) -> list[Held]:
    """What an inbox held at `moment`: by the events up to it, and where the stream does not reach back so far, by the
    rows of now.

    Args:
        then: what the events up to the moment make of it.
        later: what those behind it do.
        rows: the rows as they are now, by id.
    """
    held = [Held(item.model_dump(mode="json"), True, "by its last event before that") for item in then.present]
    for which, row in rows.items():
        if which in then.items or dt.datetime.fromisoformat(row["created_at"]) > moment:
            continue
        if which not in later.items:
            held.append(Held(row, True, "as it is now: nothing has happened to it since"))
            continue
        was_read = row["read_at"] is not None and dt.datetime.fromisoformat(row["read_at"]) <= moment
        item = {**row, "is_read": was_read, "read_at": row["read_at"] if was_read else None}
        held.append(Held(item, False, "by its row of now: it changed since, and the stream does not reach back so far"))
    for which, known in later.items.items():
        if which not in then.items and known.item is None and which not in rows:
            held.append(Held({"id": which}, False, "it was removed since; what it was is not known any more"))
    return sorted(held, key=lambda each: str(each.item["id"]), reverse=True)


Inboxes = dict[UserId, Inbox]
