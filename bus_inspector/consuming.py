"""Owns what inbox_service's consumer has made of an event, or why nothing yet."""

import contextlib
from dataclasses import dataclass
from typing import Any

from bus_inspector import rows
from bus_inspector.counters import consumer_counters
from bus_inspector.decoding import Decoded
from bus_inspector.errors import InspectorError
from bus_inspector.letters import dead_letters, reason_of
from bus_inspector.reach import Reach
from chassis.bus import Bus
from contracts.events import ConnectionAnswerCreated


@dataclass(frozen=True, slots=True)
class Consumed:
    """What inbox_service did with an event.

    Attributes:
        state: `made`, an item of it; `removed`, that item since; `nothing`, as there was nothing to make; `dead`, it is
            a dead letter; `waiting`, its turn has not come; `trying`, it was not acknowledged yet; `unknown`.
        item: the item's id, if it is there.
        letter: the dead letter's number, if it is one.
    """

    state: str
    told: str
    item: str | None = None
    letter: int | None = None


async def consumed(reach: Reach, bus: Bus, decoded: Decoded) -> Consumed:
    """What became of an event of connection_service."""
    for letter in await dead_letters(reach, bus):
        if letter.headers.get("ce-id") == decoded.id:
            told = f"it is dead letter {letter.seq}: {reason_of(letter, reveal=False)}"
            return Consumed("dead", told, letter=letter.seq)
    with contextlib.suppress(InspectorError):  # no database: then the consumer's own counters must do
        async with reach.database("inbox") as connection:
            if (item := await rows.item_from(connection, decoded.id)) is not None:
                return Consumed("made", f"inbox_service made item {item['id']} of it", item=str(item["id"]))
            if await rows.item_was_made(connection, decoded.id):
                return Consumed("removed", "inbox_service made an item of it, which was removed since")
    try:
        counters = await consumer_counters(reach, bus)
    except InspectorError as error:
        return Consumed("unknown", str(error))
    return _by_counters(decoded, counters)


def _by_counters(decoded: Decoded, counters: dict[str, Any]) -> Consumed:
    seq, floor, delivered = decoded.stored.seq, counters["acknowledged_seq"], counters["delivered_seq"]
    where = f"everything up to {floor} is acknowledged, everything up to {delivered} was handed over"
    if seq > delivered:
        idle = "" if counters["pulling"] else "; nobody asks for messages: is inbox_service running?"
        return Consumed("waiting", f"inbox_service has not come to it: {where}{idle}")
    if seq > floor:
        return Consumed("trying", f"inbox_service has it, or tries again: {where}, {counters['redelivered']} again")
    if _calls_for_an_item(decoded):
        return Consumed("unknown", f"inbox_service has acknowledged it, and of an item nothing is known here: {where}")
    return Consumed("nothing", f"inbox_service has acknowledged it: there was no item to make; {where}")


def _calls_for_an_item(decoded: Decoded) -> bool:
    if decoded.event is None or decoded.problems:
        return False
    data = decoded.event.data()
    return isinstance(data, ConnectionAnswerCreated) and data.answer.author_id != decoded.event.user
