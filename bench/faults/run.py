"""Owns what is recorded of a run: what the databases captured, and what each device got to see of it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Frame = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """One event that follows from one committed change and must reach every device of `user`.

    Attributes:
        source: which service tells it; the order of frames is promised within one.
        order: the change's place in its database; of changes to one `thing` the order in which they were committed.
        thing: the row that changed.
        at: when it was captured, seconds since the Unix epoch.
        version: the row's `updated_at` as the database writes it, None where a row has none.
        readable: whether its data is what its name says; not so where somebody has published what nobody can process.
    """

    id: str
    user: str
    source: str
    name: str
    order: int
    thing: str
    at: float
    version: dt.datetime | None = None
    readable: bool = True


@dataclass(frozen=True, slots=True)
class ItemState:
    """What matters of an inbox item; two of one item are equal if nothing happened to it in between."""

    title: str
    is_read: bool
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class UserState:
    """What the services' lists say about one user."""

    items: Mapping[str, ItemState] = field(default_factory=dict)
    answers: frozenset[str] = frozenset()
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Received:
    """A frame, and on which of a device's connections it came. A frame whose data is not JSON has none here."""

    at: float
    connection: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a device fetched because it was told to (`resumed:false` or `resync`).

    Attributes:
        began: the number of records that the device had when it began to ask.
        asked: when that was, seconds since the Unix epoch.
        answered: when it had the answer, which shows the state at some time in between.
    """

    began: int
    asked: float
    answered: float
    state: UserState


Record = Received | Fetched


@dataclass(frozen=True, slots=True)
class DeviceRun:
    """Everything that happened to one device, in order."""

    name: str
    user: str
    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        acked: the `(thing, operation)` of each write that was answered 2xx or committed.
        captured: the same of each change that the databases hold.
        besides: whom each other event that may come is for, by event id: `inbox:unread`, of which it is not promised
            which exist, and what was told before the run.
        final: what the databases hold in the end, by user.
    """

    expected: Sequence[Expected]
    acked: frozenset[tuple[str, str]]
    captured: frozenset[tuple[str, str]]
    besides: Mapping[str, str]
    devices: Sequence[DeviceRun]
    final: Mapping[str, UserState]


def item_state(row: Mapping[str, Any]) -> ItemState:
    """The state of an item, from the JSON of a frame, of a list, or of a captured row."""
    return ItemState(row["title"], row["is_read"], dt.datetime.fromisoformat(row["updated_at"]))
