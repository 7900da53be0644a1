"""Owns the events: their names, their data, and which service publishes which.

Times are RFC 3339 in UTC. Unknown fields are ignored on reading, so that an older reader survives a newer
writer.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from contracts.subjects import USER_ID_PATTERN, Source

EventName = Literal[
    "connection_answer:created",
    "connection_partnership:created",
    "connection_partnership:ended",
    "inbox:created",
    "inbox:updated",
    "inbox:deleted",
    "inbox:unread",
]
"""Each begins with its source, up to the first `_` or `:`: clients keep a position for each source."""

EVENT_ID_PATTERN = r"^[!#$&-\[\]-~]{1,128}$"
"""Visible ASCII without `"`, `%` and `\\`: neither a header nor a JSON string has to escape any of it."""


def utc(at: dt.datetime) -> dt.datetime:
    """The same moment in UTC.

    Raises:
        ValueError: `at` has no time zone, or in UTC it lies outside the years 1 to 9999.
    """
    if at.utcoffset() is None:  # `astimezone` would take it for the machine's local time
        raise ValueError(f"{at.isoformat()} has no time zone")
    try:
        return at.astimezone(dt.UTC)
    except OverflowError as error:  # pydantic turns only a ValueError into a refusal of the input
        raise ValueError(f"{at.isoformat()} cannot be expressed in UTC") from error


Time = Annotated[AwareDatetime, AfterValidator(utc)]
UserIdText = Annotated[str, Field(pattern=USER_ID_PATTERN, examples=["alice"])]
EventIdText = Annotated[str, Field(pattern=EVENT_ID_PATTERN)]


class Contract(BaseModel):
    """A shape that is part of the public interface. Its errors do not quote what somebody wrote: they are logged."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Answer(Contract):
    """What one partner answered to one day's question."""

    id: UUID
    connection_id: UUID
    author_id: UserIdText
    text: str
    created_at: Time


class DailyConnection(Contract):
    """One day's question of one partnership, with the answers given so far."""

    id: UUID
    partnership_id: UUID
    date: dt.date = Field(description="the day in the partnership's time zone")
    question: str
    answers: tuple[Answer, ...] = ()


class Partnership(Contract):
    """Two people who are connected."""

    id: UUID
    members: tuple[UserIdText, ...] = Field(description="both, in the alphabet's order")
    time_zone: str = Field(description="in which their days begin", examples=["Europe/Vienna"])
    created_at: Time


class InboxItem(Contract):
    """One entry of one person's inbox."""

    id: UUID = Field(description="UUIDv7, so that ids sort by time of creation")
    recipient_id: UserIdText
    sender_id: UserIdText | None = None
    kind: str = Field(examples=["connection_answer", "suggestion", "notice"])
    title: str
    body: str
    data: dict[str, Any] = Field(description="what a client needs beyond the text, by kind")
    is_read: bool
    read_at: Time | None = None
    created_at: Time
    updated_at: Time


class ConnectionAnswerCreated(Contract):
    """An answer was submitted; each of the two partners gets one of these."""

    answer: Answer
    connection: DailyConnection


class PartnershipEnded(Contract):
    """Two people are not connected any more."""

    id: UUID


class InboxItemDeleted(Contract):
    """An item was removed."""

    id: UUID


class InboxUnread(Contract):
    """How many unread items there are, counted after the changes that it follows; never a difference."""

    unread_count: int = Field(ge=0)


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: its name, who publishes it, and the shape of its data."""

    name: EventName
    source: Source
    data: type[Contract]
    summary: str


EVENT_TYPES: dict[str, EventType] = {
    event.name: event
    for event in (
        EventType(
            "connection_answer:created",
            "connection",
            ConnectionAnswerCreated,
            "An answer is submitted; one event to each of the two partners.",
        ),
        EventType(
            "connection_partnership:created",
            "connection",
            Partnership,
            "Two people become partners; one event to each of the two.",
        ),
        EventType(
            "connection_partnership:ended",
            "connection",
            PartnershipEnded,
            "A partnership is over, and with it what could be answered; one event to each of the two.",
        ),
        EventType("inbox:created", "inbox", InboxItem, "An item appears."),
        EventType("inbox:updated", "inbox", InboxItem, "An item changes, for example is marked as read."),
        EventType("inbox:deleted", "inbox", InboxItemDeleted, "An item is removed."),
        EventType("inbox:unread", "inbox", InboxUnread, "After a batch of inbox changes, once a user."),
    )
}
