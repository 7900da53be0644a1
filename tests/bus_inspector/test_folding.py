"""What an inbox held at some time, also where the stream does not reach back so far: then the rows of now must do."""

import datetime as dt
import uuid
from typing import Any

from bus_inspector.folding import Inbox, Known, held_at
from contracts.events import InboxItem
from contracts.subjects import user_id

THEN = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
BEFORE, AFTER = THEN - dt.timedelta(days=1), THEN + dt.timedelta(hours=1)


def item(number: int, **fields: Any) -> InboxItem:
    made: dict[str, Any] = {"id": uuid.UUID(int=number), "recipient_id": user_id("bob"), "kind": "notice"}
    made |= {"title": "", "body": "", "data": {}, "is_read": False, "created_at": BEFORE, "updated_at": BEFORE}
    return InboxItem(**made | fields)


def row(number: int, **fields: Any) -> dict[str, Any]:
    return item(number, **fields).model_dump(mode="json")


def inbox(*items: InboxItem, removed: int | None = None) -> Inbox:
    known = {str(each.id): Known(each, 1, BEFORE) for each in items}
    if removed is not None:
        known[str(uuid.UUID(int=removed))] = Known(None, 2, AFTER)
    return Inbox(items=known)


def rows(*given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in given}


def test_an_item_that_the_stream_knows_from_before_is_as_it_was_then() -> None:
    """Whatever the row says now."""
    [held] = held_at(THEN, inbox(item(1)), inbox(item(1, is_read=True)), rows(row(1, is_read=True, read_at=AFTER)))
    assert (held.item["is_read"], held.certain) == (False, True)


def test_an_item_of_which_the_stream_knows_nothing_is_as_it_is_now() -> None:
    """Nothing has happened to it since the stream begins; one that was made later was not there."""
    held = held_at(THEN, Inbox(), Inbox(), rows(row(1), row(2, created_at=AFTER)))
    assert [(each.item["id"], each.certain) for each in held] == [(str(uuid.UUID(int=1)), True)]


def test_an_item_of_which_the_stream_knows_only_later_changes_is_not_certain() -> None:
    """But whether it had been read can be told from when it was."""
    now = rows(row(1, is_read=True, read_at=AFTER), row(2, is_read=True, read_at=BEFORE))
    second, first = held_at(THEN, Inbox(), inbox(item(1, is_read=True), item(2, is_read=True)), now)
    assert (first.item["is_read"], first.certain) == (False, False)
    assert (second.item["is_read"], second.certain) == (True, False)


def test_an_item_that_was_removed_later_was_there_though_nobody_knows_what_it_was() -> None:
    """Unless the stream knows it from before."""
    [unknown] = held_at(THEN, Inbox(), inbox(removed=1), {})
    assert (dict(unknown.item), unknown.certain) == ({"id": str(uuid.UUID(int=1))}, False)
    [known] = held_at(THEN, inbox(item(1, title="It")), inbox(removed=1), {})
    assert (known.item["title"], known.certain) == ("It", True)


def test_an_item_that_was_removed_before_was_not_there() -> None:
    """Neither by the events nor by the rows."""
    assert held_at(THEN, inbox(removed=1), Inbox(), {}) == []
