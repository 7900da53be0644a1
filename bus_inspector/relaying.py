"""Owns what became of a captured change: which events it means, and whether its relay has published them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid5

from sqlalchemy.ext.asyncio import AsyncConnection

from bus_inspector import rows
from bus_inspector.output import cell
from bus_inspector.privacy import shown_reason
from contracts.subjects import InvalidUserId, Source, UserId, user_id

MEANS_NOTHING = 0
"""The mark of a change that means nothing to the world; see `chassis/carrier.py`."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An event that a change means. Its id is derived from the change's; see docs/decisions/0002."""

    id: str
    user: UserId
    source: Source


@dataclass(frozen=True, slots=True)
class Relayed:
    """What the relay did with a change: `published`, `waiting`, `dead`, or `nothing` if there is nothing to publish."""

    state: str
    told: str


async def events_of(connection: AsyncConnection, source: Source, change: rows.Captured) -> list[Expected]:
    """The events of a change that are about its row; the unread count that may follow them is not."""
    row, event_id = change.row, change.event_id
    match change.table:
        case "inbox_items":
            named = [(row.get("recipient_id"), event_id)]
        case "members":
            named = [(row.get("user_id"), event_id)]
        case "connection_answers":
            members = await rows.members_of(connection, row["connection_id"])
            named = [(member, uuid5(event_id, member)) for member in members]
        case _:
            named = []
    expected = []
    for text, which in named:
        try:
            expected.append(Expected(str(which), user_id(text), source))
        except InvalidUserId:
            continue  # then it is a dead change, and that is what is told of it
    return expected


def relayed(change: rows.Captured, backlog: rows.Backlog, *, bus_away: str | None) -> Relayed:
    """What the relay did with a change, and if it has done nothing, why."""
    if change.error is not None:
        reason = shown_reason(change.error, reveal=False)
        return Relayed("dead", f"it is a dead change: {reason}")
    match change.seq:
        case None:
            waits = _seconds(backlog.now - change.at)
            return Relayed("waiting", f"it has waited for {waits} in the relay, {_why(backlog, bus_away)}")
        case 0:
            return Relayed("nothing", "it means nothing that others are told of")
        case seq:
            again = ", as a copy: the stream had lost what it held" if change.again else ""
            return Relayed("published", f"the relay published it; its last event stands at {seq}{again}")


def _why(backlog: rows.Backlog, bus_away: str | None) -> str:
    if bus_away is not None:
        return f"because NATS is away: {bus_away}"
    if backlog.relay is None:
        return "because no relay is active: is the service running?"
    oldest = cell(backlog.oldest) if backlog.oldest is not None else "now"
    return f"with {backlog.waiting - 1} other changes, the oldest of {oldest}; the relay is {backlog.relay}"


def _seconds(span: dt.timedelta) -> str:
    return f"{span.total_seconds():.1f} s"


def means(change: rows.Captured, event_id: str, user: str, name: str) -> bool:
    """Whether this change means the event with this id."""
    if event_id in (str(change.event_id), str(uuid5(change.event_id, user))):
        return True
    return name == "inbox:unread" and change.row.get("recipient_id") == user


def belonging(changes: Sequence[rows.Captured], event_id: str, user: str, name: str) -> list[rows.Captured]:
    """Those of `changes` that mean the event."""
    return [change for change in changes if means(change, event_id, user, name)]
