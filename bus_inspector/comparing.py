"""Owns comparing the rows of the inboxes with what the stream makes of them.

Nothing stands still meanwhile. An item is judged only if all that was ever done to it, as far as the rows tell, was in
the stream before the rows were read: what moved at the time is counted, and can be compared again.
"""

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from bus_inspector import rows
from bus_inspector.decoding import decode
from bus_inspector.folding import Inbox, Inboxes, Known
from bus_inspector.reach import Reach
from bus_inspector.reading import StreamReader, moment_of
from contracts.events import InboxItem
from contracts.subjects import UserId, source_filter

BENCH_USERS = "tandem-bench-"
"""How the ids of those begin for whom `bench-publish` stores events: they have no rows."""

FIELDS = tuple(InboxItem.model_fields)
"""What is compared: all that the contract tells of an item."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A row and the stream do not agree. `fields` are those that differ, without what they say."""

    user: str
    item: str | None
    what: str
    fields: tuple[str, ...] = ()
    seq: int | None = None


@dataclass(slots=True)
class Comparison:
    """What came of it. `older` are rows of which the stream holds nothing, because they are older than it."""

    agreed: int = 0
    moving: int = 0
    older: int = 0
    drifts: list[Drift] = field(default_factory=list)


async def compare(reach: Reach) -> Comparison:
    """Compare everything. Holds the last event of every item in memory."""
    async with reach.bus() as bus:
        reader = StreamReader(bus, reach.events(bus))
        info = await reader.info()
        settled = int(info["state"]["last_seq"])
        first = moment_of(info["state"]["first_ts"] if info["state"]["messages"] else info["ts"])
        found: dict[str, dict[str, Any]] = {}
        async with reach.database("inbox") as connection:
            moving = await rows.moving_rows(connection)
            async for row in rows.all_items(connection):
                found[row["id"]] = row
        inboxes: Inboxes = defaultdict(Inbox)
        async for messages in reader.read(subjects=source_filter("inbox")):
            for stored in messages:
                decoded = decode(stored, reveal=False)
                if decoded.event is None or decoded.event.user.startswith(BENCH_USERS):
                    continue
                inboxes[decoded.event.user].take(decoded)
                if stored.seq > settled:
                    moving.add(decoded.event.user)  # and with it whatever the event is about
    return _compared(found, inboxes, moving, first)


def _compared(found: dict[str, dict[str, Any]], inboxes: Inboxes, moving: set[str], first: dt.datetime) -> Comparison:
    result = Comparison()
    unread = Counter(row["recipient_id"] for row in found.values() if not row["is_read"])
    for user, inbox in inboxes.items():
        if user not in moving and inbox.unread is not None and inbox.unread[0] != unread[user]:
            what = f"the last count told is {inbox.unread[0]}, and {unread[user]} rows are unread"
            result.drifts.append(Drift(user, None, what, seq=inbox.unread[1]))
        for which, known in inbox.items.items():
            row = found.pop(which, None)
            if user in moving or which in moving:
                result.moving += 1
            elif (drift := _drift(user, which, row, known)) is not None:
                result.drifts.append(drift)
            else:
                result.agreed += 1
    for which, row in found.items():
        if which in moving or row["recipient_id"] in moving:
            result.moving += 1
        elif dt.datetime.fromisoformat(row["updated_at"]) < first:
            result.older += 1
        else:
            result.drifts.append(Drift(row["recipient_id"], which, "there is a row, and no event tells of it"))
    return result


def _drift(user: UserId, which: str, row: dict[str, Any] | None, known: Known) -> Drift | None:
    if row is None:
        return None if known.item is None else Drift(user, which, "there is no row", seq=known.seq)
    if known.item is None:
        return Drift(user, which, "there is a row, though the last event removed it", seq=known.seq)
    actual = InboxItem.model_validate(row)
    different = tuple(name for name in FIELDS if getattr(actual, name) != getattr(known.item, name))
    return Drift(user, which, "it is not as the last event has it", different, known.seq) if different else None
