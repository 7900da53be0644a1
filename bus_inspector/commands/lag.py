"""Owns `lag`: how far everybody is behind, from the databases to the gateways."""

import contextlib
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bus_inspector import rows
from bus_inspector.counters import consumer_counters
from bus_inspector.errors import Away, InspectorError, Missing
from bus_inspector.gateways import ask_gateways
from bus_inspector.output import Output
from bus_inspector.reach import Reach
from bus_inspector.reading import StreamReader, moment_of
from bus_inspector.running import Json, run
from chassis.bus import Bus
from contracts.subjects import SOURCES, Source


def lag(*, as_json: Json = False) -> None:
    """Show what waits where: relays, streams, the consumer, dead letters, gateways."""
    run(_lag, as_json=as_json)


async def _lag(reach: Reach, output: Output) -> int:
    relays = [await _relay(reach, source) for source in SOURCES]
    document: dict[str, Any] = {"relays": relays, "streams": [], "consumers": [], "gateways": [], "error": None}
    try:
        async with reach.bus() as bus:
            document["streams"], document["consumers"] = (
                await _streams(reach, bus),
                [await consumer_counters(reach, bus)],
            )
            document["gateways"] = [_summary(answer) for answer in await ask_gateways(bus)]
    except InspectorError as error:
        document["error"] = str(error)
    if output.as_json:
        output.document(document)
    else:
        output.table(relays, title="Relays: changes that are not in the stream yet")
        output.table(document["streams"], title="Streams")
        output.table(document["consumers"], title="Consumer")
        output.table(document["gateways"], title="Gateways", empty="none answers")
        if document["error"]:
            output.say(f"! {document['error']}", style="bold red")
    return 1 if document["error"] else 0


async def _relay(reach: Reach, source: Source) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(("waiting", "oldest_seconds", "published_seq", "dead_changes", "relay"))
    note = None
    if reach.databases.url(source) is None:
        note = f"{source.upper()}_DATABASE_URL is not set"
    else:
        try:
            async with reach.database(source) as connection:
                backlog = await rows.backlog(connection)
        except (Away, SQLAlchemyError) as error:
            note = str(error).partition("\n")[0]
        else:
            oldest = (backlog.now - backlog.oldest).total_seconds() if backlog.oldest is not None else None
            found = {
                "waiting": backlog.waiting,
                "oldest_seconds": oldest,
                "published_seq": backlog.published,
                "dead_changes": backlog.dead,
                "relay": backlog.relay or "none is active",
            }
    return {"source": source, **found, "note": note}


async def _streams(reach: Reach, bus: Bus) -> list[dict[str, Any]]:
    described: list[dict[str, Any]] = []
    for stream in (reach.events(bus), reach.dead_letters(bus)):
        with contextlib.suppress(Missing):
            state = (await StreamReader(bus, stream).info())["state"]
            described.append(
                {
                    "stream": stream.name,
                    "messages": state["messages"],
                    "bytes": state["bytes"],
                    "first_seq": state["first_seq"],
                    "last_seq": state["last_seq"],
                    "last_stored": moment_of(state["last_ts"]) if state["messages"] else None,
                }
            )
    return described


def _summary(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in ("gateway", "ready", "sockets", "users", "repairing", "highest_seq")}
