"""Owns what a captured row means: an inserted answer is an event to each of the two partners, and a member's row is one
to that member, when a partnership begins and when it ends.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.changes import Change, Meaning, meaning_of
from chassis.publisher import Message
from connection_service import queries
from contracts import events
from contracts.cloudevents import Event
from contracts.subjects import event_subject, user_id

Messages = Callable[[Change], list[Message]]


async def interpret(connection: AsyncConnection, changes: Sequence[Change]) -> Sequence[Meaning]:
    """The events of each change."""
    by_name: defaultdict[events.EventName | None, list[Change]] = defaultdict(list)
    for change in changes:
        by_name[_name(change)].append(change)
    answered = {UUID(change.row["connection_id"]) for change in by_name["connection_answer:created"]}
    begun = {UUID(change.row["partnership_id"]) for change in by_name["connection_partnership:created"]}
    told_as: dict[events.EventName | None, Messages] = {
        "connection_answer:created": await _answers(connection, answered),
        "connection_partnership:created": await _partnerships(connection, begun),
        "connection_partnership:ended": _ended,
        None: lambda _: [],
    }
    return [meaning_of(change, told_as[_name(change)]) for change in changes]


def _name(change: Change) -> events.EventName | None:
    """What a change is told as; None if that is nothing. A correction of an answer by hand has no event of its own."""
    match change.table, change.op, change.row.get("left_at"):
        case "connection_answers", "insert", _:
            return "connection_answer:created"
        case "members", "insert" | "update", None:
            return "connection_partnership:created"
        case ("members", "update", _) | ("members", "delete", None):
            return "connection_partnership:ended"
    return None


async def _answers(connection: AsyncConnection, answered: Collection[UUID]) -> Messages:
    """Makes the events of answers to the daily connections `answered`."""
    if not answered:
        return lambda _: []
    given: defaultdict[UUID, list[events.Answer]] = defaultdict(list)
    for answer in await queries.answers_given(connection, answered):
        given[answer.connection_id].append(events.Answer.model_validate(answer, from_attributes=True))
    contexts: dict[UUID, events.DailyConnection] = {}
    members: defaultdict[UUID, list[str]] = defaultdict(list)
    for row in await queries.addressees(connection, answered):
        members[row.id].append(row.user_id)
        contexts[row.id] = events.DailyConnection(
            id=row.id,
            partnership_id=row.partnership_id,
            date=row.date,
            question=row.question,
            answers=tuple(given[row.id]),
        )

    def messages(change: Change) -> list[Message]:
        answer = events.Answer.model_validate(change.row)
        data = events.ConnectionAnswerCreated(answer=answer, connection=contexts[answer.connection_id])
        # Two events of one change need two ids.
        return [
            _message(change, "connection_answer:created", data, member, uuid5(change.event_id, member))
            for member in members[answer.connection_id]
        ]

    return messages


async def _partnerships(connection: AsyncConnection, begun: Collection[UUID]) -> Messages:
    """Makes the events of members of the partnerships `begun`."""
    if not begun:
        return lambda _: []
    rows = await queries.partnerships(connection, begun)
    members: defaultdict[UUID, list[str]] = defaultdict(list)
    for row in rows:
        members[row.id].append(row.user_id)
    data = {
        row.id: events.Partnership(
            id=row.id, members=tuple(members[row.id]), time_zone=row.time_zone, created_at=row.created_at
        )
        for row in rows
    }

    def messages(change: Change) -> list[Message]:
        partnership = data.get(UUID(change.row["partnership_id"]))
        if partnership is None:  # removed since, with its members, of which there is a change behind this one
            return []
        return [_message(change, "connection_partnership:created", partnership, change.row["user_id"], change.event_id)]

    return messages


def _ended(change: Change) -> list[Message]:
    data = events.PartnershipEnded(id=change.row["partnership_id"])
    return [_message(change, "connection_partnership:ended", data, change.row["user_id"], change.event_id)]


def _message(change: Change, name: events.EventName, data: events.Contract, member: str, event_id: UUID) -> Message:
    user = user_id(member)
    event = Event.of(name, data, id=str(event_id), user=user, time=change.at, republished=change.again)
    return Message(event.id, event_subject(user, "connection"), event.headers(), event.body)
