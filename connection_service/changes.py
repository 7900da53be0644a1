"""Owns what a captured row means: an inserted answer is one event to each of the two partners."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.changes import Change, Meaning, meaning_of
from chassis.publisher import Message
from connection_service import queries
from contracts import events
from contracts.cloudevents import Event
from contracts.subjects import event_subject, user_id


async def interpret(connection: AsyncConnection, changes: Sequence[Change]) -> Sequence[Meaning]:
    """The events of each change."""
    answered = {UUID(change.row["connection_id"]) for change in changes if _is_answer(change)}
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
        if not _is_answer(change):
            return []
        answer = events.Answer.model_validate(change.row)
        data = events.ConnectionAnswerCreated(answer=answer, connection=contexts[answer.connection_id])
        return [_message(change, member, data) for member in members[answer.connection_id]]

    return [meaning_of(change, messages) for change in changes]


def _is_answer(change: Change) -> bool:
    """An answer is never changed by this service; a correction made by hand has no event of its own."""
    return change.table == "connection_answers" and change.op == "insert"


def _message(change: Change, member: str, data: events.ConnectionAnswerCreated) -> Message:
    user = user_id(member)
    event = Event.of(
        "connection_answer:created",
        data,
        id=str(uuid5(change.event_id, member)),  # two events of one change need two ids
        user=user,
        time=change.at,
        republished=change.again,
    )
    return Message(event.id, event_subject(user, "connection"), event.headers(), event.body)
