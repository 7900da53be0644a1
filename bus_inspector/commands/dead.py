"""Owns `dead`: what could not be processed, and having it processed after all, or not.

There are two kinds. A *dead letter* is a message that a consumer gave up, known by its sequence among the dead letters.
A *dead change* is a row change that means nothing that could be published, known by its database and id; it is only
shown here: what is to be done about it depends on the row. See docs/INSPECT.md.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import nats.errors
import typer
from nats.js.errors import APIError, Error

from bus_inspector import rows
from bus_inspector.decoding import MESSAGE_ID, REQUEUED, read_json
from bus_inspector.errors import Away, BadInput, InspectorError, Missing
from bus_inspector.letters import REASON, SEQUENCE, SUBJECT, dead_letter, dead_letters, reason_of
from bus_inspector.moments import SEQUENCE_DIGITS
from bus_inspector.output import Output
from bus_inspector.privacy import hidden, shown_reason
from bus_inspector.reach import Reach
from bus_inspector.reading import Stored, ask_jetstream
from bus_inspector.running import Json, Reveal, run
from chassis.bus import Bus
from contracts.cloudevents import REPUBLISHED
from contracts.subjects import SOURCES, Source, UnknownSubject, addressee

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="Of a dead letter, as `dead list` shows it.")]


def commands() -> typer.Typer:
    """`dead list`, `show`, `requeue` and `drop`."""
    app = typer.Typer(help="What could not be processed.", rich_markup_mode=None)
    app.command("list")(_list)
    app.command("show")(_show)
    app.command("requeue")(_requeue)
    app.command("drop")(_drop)
    return app


def _list(*, reveal: Reveal = False, as_json: Json = False) -> None:
    """List the dead letters, and the dead changes of the databases."""
    run(lambda reach, output: _list_all(reach, output, reveal=reveal), as_json=as_json)


def _show(number: Number, *, reveal: Reveal = False, as_json: Json = False) -> None:
    """Show one dead letter whole."""
    run(lambda reach, output: _show_one(reach, output, _number(number), reveal=reveal), as_json=as_json)


def _requeue(number: Number, *, as_json: Json = False) -> None:
    """Store a dead letter among the events again, for the consumer alone: clients get no second frame of it."""
    run(lambda reach, output: _requeue_one(reach, output, _number(number)), as_json=as_json)


def _drop(number: Number, *, as_json: Json = False) -> None:
    """Delete a dead letter for good."""
    run(lambda reach, output: _drop_one(reach, output, _number(number)), as_json=as_json)


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < len(text) <= SEQUENCE_DIGITS:
        return int(text)
    raise BadInput(f"{text!r} is not the number of a dead letter; `dead list` shows them")


async def _list_all(reach: Reach, output: Output, *, reveal: bool) -> None:
    async with reach.bus() as bus:
        letters = [_letter(stored, reveal=reveal) for stored in await dead_letters(reach, bus)]
    changes, notes = [], []
    for source in SOURCES:
        try:
            async with reach.database(source) as connection:
                changes += [
                    _change(source, change, died_at, reveal=reveal)
                    for change, died_at in await rows.dead_changes(connection)
                ]
        except InspectorError as error:
            notes.append(str(error))
    if output.as_json:
        output.document({"letters": letters, "changes": changes, "notes": notes})
        return
    output.table(letters, title="Dead letters", empty="none")
    output.table(changes, title="Dead changes", empty="none")
    for note in notes:
        output.say(f"! {note}")


def _letter(stored: Stored, *, reveal: bool) -> dict[str, Any]:
    headers = stored.headers
    return {
        "number": stored.seq,
        "died_at": stored.at,
        "consumer": stored.subject.partition(".")[2],
        "subject": headers.get(SUBJECT),
        "seq": int(headers.get(SEQUENCE, "0")),
        "type": headers.get("ce-type"),
        "id": headers.get("ce-id"),
        "reason": reason_of(stored, reveal=reveal),
    }


def _change(source: Source, change: rows.Captured, died_at: Any, *, reveal: bool) -> dict[str, Any]:
    return {
        "database": source,
        "id": change.id,
        "died_at": died_at,
        "table": change.table,
        "op": change.op,
        "row": change.row.get("id"),
        "event_id": str(change.event_id),
        "reason": shown_reason(change.error or "", reveal=reveal),
    }


async def _show_one(reach: Reach, output: Output, number: int, *, reveal: bool) -> None:
    async with reach.bus() as bus:
        stored = await dead_letter(reach, bus, number)
    letter = _letter(stored, reveal=reveal)
    headers = {
        str(name): reason_of(stored, reveal=reveal) if name == REASON else value
        for name, value in stored.headers.items()
    }
    try:
        whole, safe = read_json(stored.body)
        data = whole if reveal else safe
    except ValueError:
        text = stored.body.decode(errors="backslashreplace")
        data = text if reveal else hidden(text)
    if output.as_json:
        output.document(letter | {"headers": headers, "data": data})
        return
    output.table([{"field": name, "value": value} for name, value in (letter | {"data": data}).items()])
    output.say("")
    output.table([{"header": name, "value": value} for name, value in headers.items()])


async def _requeue_one(reach: Reach, output: Output, number: int) -> None:
    async with reach.bus() as bus:
        stored = await dead_letter(reach, bus, number)
        subject = stored.headers.get(SUBJECT, "")
        try:
            addressee(subject)
        except UnknownSubject as error:
            raise Missing(f"dead letter {number} does not say where it belongs: {error}") from None
        headers = _requeued(stored.headers)
        try:
            ack = await bus.jetstream.publish(subject, stored.body, headers=headers, stream=reach.events(bus).name)
        except (nats.errors.Error, Error, TimeoutError) as error:
            raise Away(f"dead letter {number} was not stored again, and was kept: {_reason(error)}") from error
        await _delete(reach, bus, number)
    said = (
        f"dead letter {number} had been stored on {subject} already, at {ack.seq}; it was deleted"
        if ack.duplicate
        else f"stored dead letter {number} on {subject} again, at {ack.seq}, and deleted it from the dead letters;"
        " what cannot be processed comes back as a new one"
    )
    _told(output, said, {"requeued": number, "subject": subject, "seq": ack.seq, "duplicate": bool(ack.duplicate)})


def _requeued(headers: Mapping[str, str]) -> dict[str, str]:
    """The event's own headers, with another message id: by the first one the stream would take it for a copy."""
    kept = {name: value for name, value in headers.items() if not str(name).startswith(("Nats-", "Dead-Letter-"))}
    return {**kept, MESSAGE_ID: f"{REQUEUED}{headers.get(MESSAGE_ID, '')}", REPUBLISHED: "true"}


async def _drop_one(reach: Reach, output: Output, number: int) -> None:
    async with reach.bus() as bus:
        stored = await dead_letter(reach, bus, number)
        await _delete(reach, bus, number)
    event_id = stored.headers.get("ce-id")
    said = f"deleted dead letter {number}: {stored.headers.get('ce-type')} {event_id} will not be processed"
    _told(output, said, {"dropped": number, "id": event_id})


async def _delete(reach: Reach, bus: Bus, number: int) -> None:
    name = reach.dead_letters(bus).name
    answer = await ask_jetstream(bus.client, f"$JS.API.STREAM.MSG.DELETE.{name}", {"seq": number, "no_erase": True})
    if not answer.get("success"):
        raise Away(f"dead letter {number} was not deleted: {answer.get('error', {}).get('description')}")


def _told(output: Output, said: str, record: dict[str, Any]) -> None:
    if output.as_json:
        output.document(record)
    else:
        output.say(said)


def _reason(error: BaseException) -> str:
    return error.description or repr(error) if isinstance(error, APIError) else repr(error)
