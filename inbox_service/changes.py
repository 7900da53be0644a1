"""Owns what a captured row means: an item event each, and once a user in a batch the number of unread items."""

from collections.abc import Sequence
from uuid import UUID, uuid5

from chassis.changes import Change, Interpreter, Meaning, meaning_of
from chassis.publisher import Message
from contracts import events
from contracts.cloudevents import Event
from contracts.subjects import UserId, event_subject, user_id
from inbox_service import queries

UNREAD_ID = UUID("6c0c4a5e-0a3f-4b7e-9d4e-5a1d2f1b8c77")
"""Names the unread event of a change, whose own id is that of its item event."""


def interpret(changes: Sequence[Change]) -> Sequence[Meaning]:
    """The events of each change. The last one of each user also carries the count, as it is after all of them."""
    meanings = [meaning_of(change, _item_messages) for change in changes]
    last = {meaning.change.row["recipient_id"]: index for index, meaning in enumerate(meanings) if not meaning.error}
    counts = {change.row["recipient_id"]: change.context for change in changes if change.context is not None}
    for recipient, index in last.items():
        change, messages = meanings[index].change, meanings[index].messages
        unread = _unread_message(change, user_id(recipient), counts[recipient])
        meanings[index] = Meaning(change, (*messages, unread))
    return meanings


INTERPRETER = Interpreter(queries.UNREAD_AFTER_CHANGE, interpret)


def _item_messages(change: Change) -> list[Message]:
    user = user_id(change.row["recipient_id"])
    event = Event.of(*_named_data(change), id=str(change.event_id), user=user, time=change.at, republished=change.again)
    return [_message(event)]


def _named_data(change: Change) -> tuple[events.EventName, events.Contract]:
    match change.op:
        case "insert":
            return "inbox:created", events.InboxItem.model_validate(change.row)
        case "update":
            return "inbox:updated", events.InboxItem.model_validate(change.row)
        case "delete":
            return "inbox:deleted", events.InboxItemDeleted(id=change.row["id"])
    raise AssertionError(f"the trigger captures no {change.op!r}")


def _unread_message(change: Change, user: UserId, count: int) -> Message:
    data = events.InboxUnread(unread_count=count)
    event_id = str(uuid5(UNREAD_ID, str(change.event_id)))
    event = Event.of("inbox:unread", data, id=event_id, user=user, time=change.at, republished=change.again)
    return _message(event, current=True)


def _message(event: Event, *, current: bool = False) -> Message:
    return Message(event.id, event_subject(event.user, "inbox"), event.headers(), event.body, current)
