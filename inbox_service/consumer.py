"""Owns turning the partner's answer into an inbox item."""

from collections.abc import Sequence
from typing import Any

from nats.aio.msg import Msg

from chassis.consumer import Undeliverable
from chassis.database import Database
from contracts.cloudevents import InvalidEvent, read_event
from contracts.events import ConnectionAnswerCreated
from inbox_service import queries
from inbox_service.items import TITLE_MAX


async def handle(database: Database, messages: Sequence[Msg]) -> None:
    """Make the items that the events call for, all in one transaction; an event seen before changes nothing."""
    items = [item for message in messages for item in _items(message)]
    if items:
        async with database.statement() as db:
            await queries.create_items_from_events(db, items)


def _items(message: Msg) -> list[dict[str, Any]]:
    """The item for the partner; none for the author, who gets the same event."""
    try:
        event = read_event(message.headers, message.data)
        data = event.data()
    except InvalidEvent as error:
        raise Undeliverable(str(error)) from error
    if not isinstance(data, ConnectionAnswerCreated) or data.answer.author_id == event.user:
        return []
    answer, connection = data.answer, data.connection
    return [
        {
            "recipient_id": event.user,
            "sender_id": answer.author_id,
            "kind": "connection_answer",
            "title": f"{answer.author_id} answered: {connection.question}"[:TITLE_MAX],
            "body": answer.text,
            "data": {
                "answer_id": str(answer.id),
                "connection_id": str(connection.id),
                "date": connection.date.isoformat(),
                "question": connection.question,
            },
            "source_event": event.id,
        }
    ]
