"""Owns what a captured row means: an inserted answer is an event to each of the two partners, and a member's row is one
to that member, when a partnership begins and when it ends.
"""

from collections.abc import Sequence
from uuid import UUID, uuid5

from chassis.changes import Change, Interpreter, Meaning, meaning_of
from chassis.publisher import Message
from connection_service import queries
from contracts import events
from contracts.cloudevents import Event
from contracts.subjects import event_subject, user_id


def interpret(changes: Sequence[Change]) -> Sequence[Meaning]:
    """The events of each change."""
    return [meaning_of(change, _messages) for change in changes]


INTERPRETER = Interpreter(queries.CONTEXT_OF_CHANGE, interpret)


def _messages(change: Change) -> list[Message]:
    """What a change is told as. A correction of an answer by hand has no event of its own."""
    match change.table, change.op, change.row.get("left_at"):
        case "connection_answers", "insert", _:
            return _answered(change)
        case "members", "insert" | "update", None:
            return _begun(change)
        case ("members", "update", _) | ("members", "delete", None):
            return _ended(change)
    return []


def _answered(change: Change) -> list[Message]:
    members, connection = change.context["members"], change.context["connection"]
    data = events.ConnectionAnswerCreated.model_validate({"answer": change.row, "connection": connection})
    # Two events of one change need two ids.
    return [
        _message(change, "connection_answer:created", data, member, uuid5(change.event_id, member))
        for member in members
    ]


def _begun(change: Change) -> list[Message]:
    if change.context is None:  # removed since, with its members, of which there is a change behind this one
        return []
    data = events.Partnership.model_validate(change.context)
    return [_message(change, "connection_partnership:created", data, change.row["user_id"], change.event_id)]


def _ended(change: Change) -> list[Message]:
    data = events.PartnershipEnded(id=change.row["partnership_id"])
    return [_message(change, "connection_partnership:ended", data, change.row["user_id"], change.event_id)]


def _message(change: Change, name: events.EventName, data: events.Contract, member: str, event_id: UUID) -> Message:
    user = user_id(member)
    event = Event.of(name, data, id=str(event_id), user=user, time=change.at, republished=change.again)
    return Message(event.id, event_subject(user, "connection"), event.headers(), event.body)
