"""Owns what `doctor` examines: each examination gives findings, and never raises for what it finds."""

import datetime as dt
import importlib.metadata
import os
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bus_inspector import rows
from bus_inspector.errors import InspectorError
from bus_inspector.findings import Finding, State
from bus_inspector.gateways import ask_gateways
from bus_inspector.reach import Reach
from bus_inspector.reading import StreamReader, ask_jetstream, moment_of
from bus_inspector.rights import examine_rights
from chassis.bus import Bus
from chassis.streams import EPOCH
from contracts import streams
from contracts.subjects import INBOX_CONSUMER, SOURCES, Source, source_filter

SERVER_FLOOR = "2.14.3"
FLOORS = {"nats-py": "2.16.0", "websockets": "17", "uvicorn": "0.52.1", "starlette": "1.0.1", "PyJWT": "2.13.0"}
"""Versions before which there is a known hole, or something that this system needs is missing."""

CLOCKS = dt.timedelta(seconds=2)
"""How far clocks may be apart. Tokens allow 5 s by default, and times of events are compared across machines."""

CAPTURED: dict[Source, tuple[str, ...]] = {
    "connection": ("connection_answers", "members"),
    "inbox": ("inbox_items",),
}
"""The tables of which every change must be broadcast."""

VARIABLES = ("NATS_URL", "NATS_REPLICAS", "NATS_NKEY_SEED_FILE", "CONNECTION_DATABASE_URL", "INBOX_DATABASE_URL")


async def examine(reach: Reach) -> AsyncIterator[Finding]:
    """Everything."""
    for finding in (*_configuration(), *_libraries()):
        yield finding
    try:
        async with reach.bus() as bus:
            for finding in _server(bus):
                yield finding
            async for finding in examine_rights(reach, bus):
                yield finding
            async for finding in _streams(reach, bus):
                yield finding
            yield await _consumer(reach, bus)
            yield await _gateways(bus)
    except InspectorError as error:
        yield Finding("NATS", "fail", str(error))
    for source in SOURCES:
        async for finding in _database(reach, source):
            yield finding


def _configuration() -> Iterator[Finding]:
    for name in VARIABLES:
        yield Finding(name, "ok", "set" if os.environ.get(name) else "not set")


def _libraries() -> Iterator[Finding]:
    for name, floor in FLOORS.items():
        found = importlib.metadata.version(name)
        yield Finding(name, "ok" if _at_least(found, floor) else "fail", f"{found}; at least {floor}")


def _server(bus: Bus) -> Iterator[Finding]:
    told: dict[str, Any] = bus.client._server_info  # noqa: SLF001 - nats-py shows the version only
    found = told["version"]
    yield Finding(
        "nats-server", "ok" if _at_least(found, SERVER_FLOOR) else "fail", f"{found}; at least {SERVER_FLOOR}"
    )


async def _streams(reach: Reach, bus: Bus) -> AsyncIterator[Finding]:
    for stream, shape in ((reach.events(bus), streams.EVENTS), (reach.dead_letters(bus), streams.DEADLETTERS)):
        try:
            info = await StreamReader(bus, stream).info()
        except InspectorError as error:
            yield Finding(stream.name, "fail", str(error))
            continue
        wrong = list(_differences(info["config"], shape, replicas=reach.nats.replicas))
        yield Finding(f"{stream.name}: settings", "fail" if wrong else "ok", "; ".join(wrong) or "as they should be")
        epoch = info["config"].get("metadata", {}).get(EPOCH)
        yield Finding(f"{stream.name}: epoch", "ok" if epoch else "fail", epoch or "there is none")
        lagging = [peer["name"] for peer in info.get("cluster", {}).get("replicas", ()) if not peer.get("current")]
        if lagging:
            yield Finding(f"{stream.name}: replicas", "warn", f"not up to date: {', '.join(lagging)}")
        if shape is streams.EVENTS:
            yield _clock("clock of NATS", moment_of(info["ts"]))


def _differences(config: dict[str, Any], shape: streams.Shape, *, replicas: int) -> Iterator[str]:
    wanted: dict[str, Any] = {
        "subjects": list(shape.subjects),
        "storage": "file",
        "discard": "old",
        "retention": "limits",
        "num_replicas": replicas,
        "max_age": _nanoseconds(shape.max_age),
        "duplicate_window": _nanoseconds(shape.duplicate_window),
        "max_msgs_per_subject": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "allow_direct": True,
        "allow_atomic": True,
    }
    if shape.republish is not None:
        wanted["republish"] = dict(zip(("src", "dest"), shape.republish, strict=True))
    for name, value in wanted.items():
        if (found := config.get(name)) != value:
            yield f"{name} is {found!r}, should be {value!r}"


def _nanoseconds(span: dt.timedelta) -> int:
    return int(span.total_seconds()) * 1_000_000_000


async def _consumer(reach: Reach, bus: Bus) -> Finding:
    name = f"consumer {INBOX_CONSUMER}"
    answer = await ask_jetstream(bus.client, f"$JS.API.CONSUMER.INFO.{reach.events(bus).name}.{INBOX_CONSUMER}")
    if "error" in answer:
        return Finding(name, "fail", answer["error"].get("description", "it does not answer"))
    config, wanted = answer["config"], source_filter("connection")
    if config.get("filter_subject") != wanted or config.get("ack_policy") != "explicit":
        return Finding(name, "fail", f"filters {config.get('filter_subject')!r}, acks {config.get('ack_policy')!r}")
    if not answer.get("num_waiting"):
        return Finding(name, "warn", "nobody asks it for messages: is inbox_service running?")
    return Finding(name, "ok", f"{answer['num_pending']} messages wait")


async def _gateways(bus: Bus) -> Finding:
    answers = await ask_gateways(bus)
    if not answers:
        return Finding("gateways", "warn", "none answers")
    away = [answer["gateway"] for answer in answers if not answer["ready"]]
    if away:
        return Finding("gateways", "warn", f"not ready: {', '.join(away)}")
    return Finding("gateways", "ok", ", ".join(answer["gateway"] for answer in answers))


async def _database(reach: Reach, source: Source) -> AsyncIterator[Finding]:
    name = f"database {source}"
    if reach.databases.url(source) is None:
        yield Finding(name, "warn", f"not looked at: {source.upper()}_DATABASE_URL is not set")
        return
    try:
        async with reach.database(source) as connection:
            yield Finding(name, "ok", f"schema {await rows.revision(connection)}")
            backlog = await rows.backlog(connection)
            missing = await rows.uncaptured(connection, CAPTURED[source])
    except (InspectorError, SQLAlchemyError) as error:
        yield Finding(name, "fail", str(error).partition("\n")[0])
        return
    yield _clock(f"clock of {name}", backlog.now)
    yield Finding(f"{name}: relay", "ok" if backlog.relay else "fail", backlog.relay or "none is active")
    yield Finding(
        f"{name}: capture",
        "fail" if missing else "ok",
        f"not of {', '.join(missing)}" if missing else f"of {', '.join(CAPTURED[source])}",
    )
    if backlog.dead:
        yield Finding(f"{name}: dead changes", "warn", f"{backlog.dead}; `dead list` shows them")


def _clock(what: str, theirs: dt.datetime) -> Finding:
    apart = theirs - dt.datetime.now(dt.UTC)
    state: State = "ok" if abs(apart) <= CLOCKS else "fail"
    return Finding(what, state, f"{apart.total_seconds():+.3f} s from here")


def _at_least(found: str, floor: str) -> bool:
    return _numbers(found) >= _numbers(floor)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0]))
