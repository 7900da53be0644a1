"""Owns following a change from its row to the sockets: what is known at each place that it comes by."""

import contextlib
import datetime as dt
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from bus_inspector import rows
from bus_inspector.consuming import Consumed, consumed
from bus_inspector.decoding import Decoded, decode
from bus_inspector.delivering import Delivery, Verdict, Where, conclusion, deliveries
from bus_inspector.errors import InspectorError, Missing
from bus_inspector.gateways import ask_gateways
from bus_inspector.reach import Reach
from bus_inspector.reading import Stored, StreamReader
from bus_inspector.relaying import Expected, Relayed, belonging, events_of, relayed
from bus_inspector.searching import about, find
from chassis.bus import Bus
from chassis.streams import EPOCH
from contracts.cloudevents import REPUBLISHED
from contracts.subjects import SOURCES, Source, UnknownSubject, UserId, addressee

SLACK = dt.timedelta(minutes=1)
"""How far before a change its events are looked for: clocks of databases and of NATS may differ."""


@dataclass(slots=True)
class EventTrace:
    """One event on its way. What is None was not looked at, because the way ended before, or does not lead there."""

    id: str
    user: UserId
    source: Source
    stored: Decoded | None = None
    in_stream: str = ""
    consumer: Consumed | None = None
    verdict: Verdict | None = None
    sockets: list[Delivery] = field(default_factory=list)
    gateways: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """It as JSON."""
        stored = self.stored.stored if self.stored is not None else None
        return {
            "id": self.id,
            "user": self.user,
            "source": self.source,
            "type": self.stored.type if self.stored is not None else None,
            "stream": {
                "told": self.in_stream,
                "seq": stored.seq if stored is not None else None,
                "stored_at": stored.at if stored is not None else None,
            },
            "consumer": asdict(self.consumer) if self.consumer is not None else None,
            "verdict": self.verdict,
            "gateways": self.gateways,
            "sockets": [asdict(each) for each in self.sockets],
        }


@dataclass(slots=True)
class ChangeTrace:
    """One change on its way; `change` is None where the relay has forgotten it, as it does after a day."""

    source: Source
    change: rows.Captured | None
    relay: Relayed
    events: list[EventTrace]


class Tracer:
    """Follows changes. `bus` is None while NATS is away, and `bus_away` says why."""

    def __init__(self, reach: Reach, bus: Bus | None, bus_away: str | None) -> None:
        self.notes: list[str] = []
        self._reach = reach
        self._bus = bus
        self._bus_away = bus_away
        self._reader = StreamReader(bus, reach.events(bus)) if bus is not None else None
        self._gateways: dict[UserId, list[dict[str, Any]]] = {}

    async def trace(self, which: str, *, since: dt.datetime) -> list[ChangeTrace]:
        """Every change that has this id, is of the row with this id, or means the event with this id.

        Raises:
            Missing: nothing of it is known.
        """
        traces: list[ChangeTrace] = []
        with contextlib.suppress(ValueError):
            row = UUID(which)
            for source in SOURCES:
                traces += await self._of_row(source, row)
        if not traces and self._reader is not None:
            traces = await self._of_events(self._reader, which, since)
        if not traces:
            away = f"; NATS was not asked: {self._bus_away}" if self._bus_away is not None else ""
            raise Missing(f"nothing is known of {which}{away}{''.join(f'; {note}' for note in self.notes)}")
        return traces

    async def _of_row(self, source: Source, row: UUID) -> list[ChangeTrace]:
        try:
            async with self._reach.database(source) as connection:
                changes = await rows.changes_of(connection, row)
                backlog = await rows.backlog(connection)
                expected = [(change, await events_of(connection, source, change)) for change in changes]
        except InspectorError as error:
            self.notes.append(str(error))
            return []
        return [await self._change(source, change, backlog, events) for change, events in expected]

    async def _of_events(self, reader: StreamReader, which: str, since: dt.datetime) -> list[ChangeTrace]:
        """By the messages in the stream, where the relay has forgotten the row's changes or the id is an event's."""
        stored = await find(reader, which, since=since)
        if stored is not None:
            return [await self._of_message(stored)]
        return [await self._of_message(each) for each in await about(reader, which, since=since)]

    async def _of_message(self, stored: Stored) -> ChangeTrace:
        """The moment that a message tells leads to the change that it tells of."""
        decoded = decode(stored, reveal=False)
        try:
            user, source = addressee(stored.subject)
        except UnknownSubject as error:
            raise Missing(f"{error}; `show {stored.seq}` shows it") from None
        event = Expected(decoded.id, user, source)
        with contextlib.suppress(InspectorError):
            async with self._reach.database(source) as connection:
                if decoded.event is not None:
                    made = await rows.changes_at(connection, decoded.event.time)
                    for change in belonging(made, decoded.id, user, decoded.type):
                        return await self._change(source, change, await rows.backlog(connection), [event])
        relay = Relayed("forgotten", "it was published, and no change in the database tells of it (any more)")
        return ChangeTrace(source, None, relay, [await self._event(event, stored.at, decoded)])

    async def _change(
        self, source: Source, change: rows.Captured, backlog: rows.Backlog, expected: list[Expected]
    ) -> ChangeTrace:
        relay = relayed(change, backlog, bus_away=self._bus_away)
        events = [EventTrace(each.id, each.user, each.source, in_stream="it is not there yet") for each in expected]
        if relay.state == "published":
            events = [await self._event(each, change.at, None) for each in expected]
        elif relay.state != "waiting":
            events = []
        return ChangeTrace(source, change, relay, events)

    async def _event(self, expected: Expected, at: dt.datetime, decoded: Decoded | None) -> EventTrace:
        trace = EventTrace(expected.id, expected.user, expected.source)
        if self._reader is None or self._bus is None:
            trace.in_stream = f"NATS was not asked: {self._bus_away}"
            return trace
        if decoded is None:
            stored = await find(self._reader, expected.id, since=at - SLACK, whose=expected.user)
            if stored is None:
                trace.in_stream = await self._why_missing(self._reader, at)
                return trace
            decoded = decode(stored, reveal=False)
        trace.stored = decoded
        trace.in_stream = f"it stands at {decoded.stored.seq}"
        if expected.source == "connection":
            trace.consumer = await consumed(self._reach, self._bus, decoded)
        await self._delivered(trace, self._reader, self._bus, decoded)
        return trace

    async def _why_missing(self, reader: StreamReader, at: dt.datetime) -> str:
        state = (await reader.info())["state"]
        first = dt.datetime.fromisoformat(state["first_ts"])
        if state["messages"] == 0 or at < first:
            return "it is gone: the stream holds nothing that old any more"
        return "it is gone, though it is not too old: the relay's next audit publishes it again"

    async def _delivered(self, trace: EventTrace, reader: StreamReader, bus: Bus, decoded: Decoded) -> None:
        if trace.user not in self._gateways:
            self._gateways[trace.user] = await ask_gateways(bus, trace.user)
        answers = self._gateways[trace.user]
        epoch = (await reader.info())["config"].get("metadata", {}).get(EPOCH, "")
        trace.gateways = [str(answer["gateway"]) for answer in answers]
        if REPUBLISHED in decoded.stored.headers:
            trace.verdict = Verdict.NO_FRAME
            return
        trace.sockets = deliveries(Where(decoded.stored.seq, trace.source, epoch), answers)
        trace.verdict = conclusion(trace.sockets, answers)
