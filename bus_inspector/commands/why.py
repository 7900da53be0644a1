"""Owns `why`: what became of one change, told place by place."""

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from bus_inspector.commands.show import BOUND, Within
from bus_inspector.delivering import Verdict
from bus_inspector.errors import Away
from bus_inspector.moments import moment
from bus_inspector.output import Output, cell
from bus_inspector.reach import Reach
from bus_inspector.running import Json, run
from bus_inspector.searching import event_id
from bus_inspector.tracing import ChangeTrace, EventTrace, Tracer


def why(
    which: Annotated[str, typer.Argument(metavar="EVENT_ID|ITEM_ID", help="Of an event, a change, an item or answer.")],
    *,
    within: Within = BOUND,
    as_json: Json = False,
) -> None:
    """Follow a change from its row through relay, stream and consumer to every socket, or to where it waits."""
    since = moment(within, now=dt.datetime.now(dt.UTC))
    wanted = event_id(which)
    run(lambda reach, output: _why(reach, output, wanted, since), as_json=as_json)


async def _why(reach: Reach, output: Output, which: str, since: dt.datetime) -> None:
    try:
        async with reach.bus() as bus:
            tracer = Tracer(reach, bus, None)
            traces = await tracer.trace(which, since=since)
    except Away as error:
        tracer = Tracer(reach, None, str(error))
        traces = await tracer.trace(which, since=since)
    if output.as_json:
        output.document({"id": which, "changes": [_record(trace) for trace in traces], "notes": tracer.notes})
        return
    for trace in traces:
        for line in _lines(trace):
            output.say(line)
        output.say("")
    for note in tracer.notes:
        output.say(f"! {note}")


def _record(trace: ChangeTrace) -> dict[str, Any]:
    change = trace.change
    return {
        "database": trace.source,
        "change": change.id if change is not None else None,
        "event_id": str(change.event_id) if change is not None else None,
        "table": change.table if change is not None else None,
        "op": change.op if change is not None else None,
        "row": change.row.get("id") if change is not None else None,
        "at": change.at if change is not None else None,
        "relay": {"state": trace.relay.state, "told": trace.relay.told},
        "events": [event.record() for event in trace.events],
        "outcome": outcome(trace),
    }


def outcome(trace: ChangeTrace) -> list[str]:
    """What it comes to: where the change is stuck, or what became of each of its events."""
    if trace.relay.state in ("waiting", "dead", "nothing"):
        return [{"waiting": "waits in the relay", "dead": "a dead change", "nothing": "not told"}[trace.relay.state]]
    return [f"{event.user}: {_came_to(event)}" for event in trace.events]


def _came_to(event: EventTrace) -> str:
    if event.stored is None:
        return event.in_stream
    letter = event.consumer.letter if event.consumer is not None else None
    dead = f"dead letter {letter}; " if letter is not None else ""
    return f"{dead}{event.verdict}"


def _lines(trace: ChangeTrace) -> Iterator[str]:
    change = trace.change
    if change is not None:
        row = change.row.get("id", "")
        yield f"row       {change.op} in {change.table} {row} ({trace.source}), {cell(change.at)}: change {change.id}"
    yield f"relay     {trace.relay.told}"
    for event in trace.events:
        kind = event.stored.type if event.stored is not None else "event"
        stored = f", stored {cell(event.stored.stored.at)}" if event.stored is not None else ""
        yield f"stream    {kind} {event.id} for {event.user}: {event.in_stream}{stored}"
        if event.consumer is not None:
            yield f"consumer  {event.consumer.told}"
        yield from _gateways(event)
    yield "outcome   " + "; ".join(outcome(trace))


def _gateways(event: EventTrace) -> Iterator[str]:
    for gateway in event.gateways:
        sockets = [socket for socket in event.sockets if socket.gateway == gateway]
        if not sockets:
            yield f"gateway   {gateway}: {event.user} has no socket here, and had none lately"
        for socket in sockets:
            yield f"gateway   {gateway}: {socket.verdict}: {socket.told}"
    if event.verdict is Verdict.NO_GATEWAY:
        yield "gateway   none answers"
