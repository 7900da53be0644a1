"""Owns `user`: the feed of one user, and what their inbox held at some time."""

import datetime as dt
from dataclasses import asdict
from typing import Annotated, Any

import typer

from bus_inspector import rows
from bus_inspector.commands.tap import RECENT, line
from bus_inspector.decoding import decode
from bus_inspector.errors import BadInput
from bus_inspector.folding import Inbox, held_at
from bus_inspector.gateways import ask_gateways
from bus_inspector.moments import moment, user
from bus_inspector.output import Output
from bus_inspector.privacy import shown
from bus_inspector.reach import Reach
from bus_inspector.reading import StreamReader
from bus_inspector.running import Json, Reveal, run
from contracts.subjects import UserId, user_filter


def of_user(
    whose: Annotated[str, typer.Argument(metavar="USER", help="The user's id.")],
    *,
    at: Annotated[str | None, typer.Option(help="Show what the inbox held then: 10m, 3h, 2d or a time.")] = None,
    since: Annotated[str, typer.Option(help="Show events from then on.")] = RECENT,
    reveal: Reveal = False,
    as_json: Json = False,
) -> None:
    """Show a user's sockets and events; with --at what their inbox held at that time."""
    now = dt.datetime.now(dt.UTC)
    who = user(whose)
    begin, then = moment(since, now=now), moment(at, now=now) if at is not None else None
    if then is None:
        run(lambda reach, output: _feed(reach, output, who, begin, reveal=reveal), as_json=as_json)
        return
    if then > now:
        raise BadInput(f"{then.isoformat()} is still to come")
    run(lambda reach, output: _inbox_at(reach, output, who, then, reveal=reveal), as_json=as_json)


async def _feed(reach: Reach, output: Output, who: UserId, since: dt.datetime, *, reveal: bool) -> None:
    async with reach.bus() as bus:
        gateways = await ask_gateways(bus, who)
        reader = StreamReader(bus, reach.events(bus))
        after = await reader.before(since)
        events = [
            decode(stored, reveal=reveal)
            async for messages in reader.read(after=after, subjects=user_filter(who))
            for stored in messages
        ]
    if output.as_json:
        document = {"user": who, "gateways": gateways, "events": [event.record() for event in events]}
        output.document(document)
        return
    sockets = [_socket(answer["gateway"], socket) for answer in gateways for socket in answer["sockets"]]
    ended = [_socket(answer["gateway"], socket) for answer in gateways for socket in answer["ended"]]
    output.table(sockets, title="Sockets", empty="none is open" if gateways else "no gateway answers")
    output.table(ended, title="Sockets that ended lately", empty="none")
    output.say("Events" if events else "Events: none", style="italic")
    output.lines(line(event) for event in events)


def _socket(gateway: str, socket: dict[str, Any]) -> dict[str, Any]:
    came_with = socket["came_with"]
    row = {
        "gateway": gateway,
        "opened": dt.datetime.fromisoformat(socket["opened_at"]),
        "came behind": came_with["since"] if came_with is not None else None,
        "told anew at": socket["anew_at"],
        **{f"sent {source} up to": seq for source, seq in socket["reached"].items()},
    }
    if "ended_at" in socket:
        return {**row, "ended": dt.datetime.fromisoformat(socket["ended_at"]), "close code": socket["close_code"]}
    return {**row, "unsent bytes": socket["unsent_bytes"]}


async def _inbox_at(reach: Reach, output: Output, who: UserId, then: dt.datetime, *, reveal: bool) -> None:
    """The rows are read before the stream: what changes meanwhile is then known as a later change, not overlooked."""
    async with reach.database("inbox") as connection:
        now = await rows.items_of(connection, who)
    before, later = Inbox(), Inbox()
    async with reach.bus() as bus:
        reader = StreamReader(bus, reach.events(bus))
        async for messages in reader.read(subjects=user_filter(who)):
            for stored in messages:
                decoded = decode(stored, reveal=False)
                if decoded.event is not None:
                    (before if decoded.event.time <= then else later).take(decoded)
    held = held_at(then, before, later, now)
    items = [asdict(each) | {"item": dict(each.item) if reveal else shown(dict(each.item))} for each in held]
    unread = sum(not each.item.get("is_read", True) for each in held)
    document = {"user": who, "at": then, "items": items, "unread_count": unread}
    if output.as_json:
        output.document(document)
        return
    columns = ("id", "kind", "title", "is_read", "created_at", "updated_at")
    table = [{**{name: each["item"].get(name) for name in columns}, "how known": each["how"]} for each in items]
    output.table(table, title=f"The inbox of {who} at {then.isoformat(timespec='seconds')}", empty="empty")
    output.say(f"{len(items)} items, {unread} of them unread")
