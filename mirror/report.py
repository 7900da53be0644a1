"""Owns the report: a pure function of the records, which names messages and never quotes what people wrote."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mirror.comparing import SIDES, Identity, Period, Sending, Verdict, compare
from mirror.observing import Record

Document = dict[str, Any]


def report(records: Mapping[str, Record], *, period: Period, late: float) -> Document:
    """What is to be said of each user who was watched: by user, by side.

    Args:
        late: seconds.
    """
    users = {}
    for user, record in records.items():
        verdicts = compare(record.sent, record.heard, period=period, late=late)
        users[user] = {side: _side(verdicts[side], record.cuts[side]) for side in SIDES}
    return {
        "from_ms": period[0],
        "until_ms": period[1],
        "late_from_seconds": late,
        "fine": all(side["fine"] for sides in users.values() for side in sides.values()),
        "users": users,
    }


def _side(verdict: Verdict, cuts: int) -> Document:
    return {
        "fine": verdict.fine,
        "delivered": verdict.delivered,
        "cuts": cuts,
        "missing": [_sending(each) for each in verdict.missing],
        "extra": [_named(each.what) for each in verdict.extra],
        "late": [_sending(each.sending) | {"seconds": round(each.seconds, 3)} for each in verdict.late],
        "reordered": [_sending(each) for each in verdict.reordered],
    }


def _sending(sending: Sending) -> Document:
    return _named(sending.what) | {"event_id": sending.id}


def _named(what: Identity) -> Document:
    """A message by its event and the id of what it is about: an item, or an answer."""
    event, data = what[0], json.loads(what[1])
    about = data.get("id", (data.get("answer") or {}).get("id")) if isinstance(data, dict) else None
    return {"event": event, "about": about}


def lines(document: Document) -> Iterator[str]:
    """The report for a person: a line for each side of each user, and one for each message that is named."""
    for user, sides in document["users"].items():
        for side, said in sides.items():
            yield (
                f"{user:<12} {side}: {said['delivered']} delivered, {len(said['missing'])} missing,"
                f" {len(said['extra'])} extra, {len(said['late'])} late, {len(said['reordered'])} reordered,"
                f" {said['cuts']} cuts"
            )
            for what in ("missing", "extra", "late", "reordered"):
                for each in said[what]:
                    behind = f", {each['seconds']} s behind" if what == "late" else ""
                    yield f"{'':<12}      {what}: {each['event']} {each['about']} ({each.get('event_id', '-')}){behind}"
    yield "Both sides delivered everything." if document["fine"] else "The sides differ."
