"""Owns a small world for relays in the hands of a test: a database, a stream, and two relays with their wires to it."""

import asyncio
import contextlib
import datetime as dt
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid5

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.audit import Audit
from chassis.bus import Bus
from chassis.carrier import Carrier, Result
from chassis.changes import Change, Interpreter, Meaning
from chassis.database import Database, is_unavailable
from chassis.leadership import leadership
from chassis.publisher import Message
from chassis.streams import Stream
from contracts.streams import Shape
from devstack.nats import Nats
from devstack.waiting import until
from tests.chassis import conftest
from tests.chassis.conftest import connected
from tests.chassis.lossy_wire import Fault, LossyWire
from tests.conftest import running_bus

PATIENCE: Final = 10.0
"""Seconds for what must happen in the end."""

INSERT: Final = (
    "INSERT INTO things (owner, note) SELECT (ARRAY['alice', 'bob'])[1 + n % 2], $1 FROM generate_series(1, $2) n"
)
CHANGES: Final = {
    "update": "UPDATE things SET note = note || '.' WHERE id IN (SELECT id FROM things ORDER BY id DESC LIMIT 2)",
    "delete": "DELETE FROM things WHERE id IN (SELECT id FROM things ORDER BY id DESC LIMIT 1)",
}

END_WHO_WAITS: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def interpret(batch: Sequence[Change]) -> Sequence[Meaning]:
    """As usual, but everything that happens to one thing goes to one subject, as in the services."""

    def moved(message: Message) -> Message:
        return replace(message, subject=message.subject.rpartition(".")[0])

    meanings = conftest.interpret(batch)
    return [replace(meaning, messages=tuple(map(moved, meaning.messages))) for meaning in meanings]


INTERPRETER: Final = Interpreter(conftest.INTERPRETER.context, interpret)


@dataclass(frozen=True)
class Place:
    """Where a world is made.

    Attributes:
        window: for how long the stream recognises a copy.
        age: how much older than they are changes seem to be.
    """

    url: str
    nats: Nats
    window: dt.timedelta
    age: dt.timedelta

    @property
    def shape(self) -> Shape:
        """The stream."""
        return Shape("THINGS", ("things.>",), max_age=dt.timedelta(days=1), duplicate_window=self.window)


class Relay:
    """A relay in the hands of the test: its wire to NATS, its connections, and what it believes."""

    def __init__(self, wire: LossyWire, bus: Bus, database: Database, place: Place) -> None:
        stream = Stream(bus, place.shape, replicas=1)
        audit = Audit(stream, INTERPRETER, "things.>")
        self.wire = wire
        self._carrier = Carrier(stream, audit, INTERPRETER, clock=lambda: dt.datetime.now(dt.UTC) + place.age)
        self._database = database
        self._term = contextlib.AsyncExitStack()
        self._connection: AsyncConnection | None = None

    async def lead(self) -> None:
        """Become the active one, which takes the place of one that is silent."""

        async def leads() -> bool:
            await self._term.aclose()
            self._connection = await self._term.enter_async_context(leadership(self._database.engine))
            return self._connection is not None

        self.wire.mend()
        assert await until(leads, within=PATIENCE)
        self._carrier.doubt()

    async def resign(self) -> None:
        """Be it no more."""
        await self._term.aclose()

    async def carry(self) -> Result:
        """What the active one does in one turn."""
        assert self._connection is not None, "it leads"
        return await self._carrier.carry(self._connection)


class World:
    """A database, a stream, and two relays between them of which one is active."""

    def __init__(self, sql: asyncpg.Connection, other: asyncpg.Connection, stream: Stream, relays: list[Relay]) -> None:
        self.sql = sql
        self.other = other
        self.stream = stream
        self.relays = relays
        self.late: asyncpg.transaction.Transaction | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def whole(cls, place: Place) -> AsyncIterator["World"]:
        """One with nothing in it."""
        async with contextlib.AsyncExitStack() as stack:
            stream = Stream(await stack.enter_async_context(running_bus(place.nats)), place.shape, replicas=1)
            if await stream.info() is not None:
                await stream.bus.jetstream.delete_stream(stream.name)
            await stream.ensure()
            sql, other = [await stack.enter_async_context(connected(place.url)) for _ in range(2)]
            await sql.execute("DELETE FROM things; TRUNCATE changes, dead_changes")
            relays = []
            for _ in range(2):
                wire = LossyWire(place.nats.port, subject="things.", stream=stream.name)
                await stack.enter_async_context(wire.running())
                behind = Nats(place.nats.data_dir, wire.port)  # only to know where it is
                bus = await stack.enter_async_context(running_bus(behind))
                database = Database(place.url, application_name="relay")
                stack.push_async_callback(database.close)
                relays.append(Relay(wire, bus, database, place))
                stack.push_async_callback(relays[-1].resign)
            await relays[0].lead()
            yield cls(sql, other, stream, relays)

    async def insert(self, note: str, count: int) -> None:
        """Make some things."""
        await self.sql.execute(INSERT, note, count)

    async def change(self, changes: Sequence[str]) -> None:
        """Change the latest ones."""
        for each in changes:
            await self.sql.execute(CHANGES[each])

    async def begin_late(self) -> None:
        """Begin a transaction that takes low ids."""
        self.late = self.other.transaction()
        await self.late.start()
        await self.other.execute(INSERT, "late", 3)

    async def end_late(self, *, kept: bool) -> None:
        """Commit it, or not."""
        late, self.late = self.late, None
        assert late is not None, "it was begun"
        await (late.commit() if kept else late.rollback())

    async def take_over(self, *, frozen: bool = False) -> None:
        """The other relay leads from now on; the one before has ended in good order, or is silent."""
        old, new = self.relays
        if not frozen:
            await old.resign()
        await new.lead()
        await old.resign()
        self.relays = [new, old]

    async def carry(self) -> Result:
        """A turn of the active relay."""
        return await self.relays[0].carry()

    async def carry_over_broken_wire(self, fault: Fault, number: int) -> None:
        """A turn in which something happens to the so-manyth message."""
        wire = self.relays[0].wire
        wire.break_at(fault, number)
        await self.carry()
        if fault != "held up":
            wire.mend()

    async def die_before_marking(self) -> None:
        """The active relay's database connection ends when it has published and is about to mark; it is replaced."""
        async with self.other.transaction():
            await self.other.execute("SELECT FROM changes FOR UPDATE")
            turn = asyncio.create_task(self.carry())

            async def blocked() -> bool:
                return turn.done() or bool(await self.sql.fetch(END_WHO_WAITS))

            assert await until(blocked, within=PATIENCE)
            try:
                await turn
            except Exception as error:
                if not is_unavailable(error):
                    raise
        await self.take_over()

    async def judge(self, *, all_of_it: bool = False) -> None:
        """Assert that the stream has each message once, those of a thing in the order of its changes; and the marks."""
        rows = await self.sql.fetch(
            "SELECT event_id, row ->> 'id' AS thing, row ->> 'note' AS note, seq FROM changes ORDER BY id"
        )
        info = await self.stream.info()
        assert info is not None
        numbers = range(1, info.state.last_seq + 1)
        stored = await asyncio.gather(*(self.stream.message(number) for number in numbers))
        ids = [message.id for message in stored if message is not None]
        assert len(ids) == len(set(ids)) == len(numbers), "nothing is stored twice"
        place = {id_: number for number, id_ in zip(numbers, ids, strict=True)}
        due: defaultdict[str, list[str]] = defaultdict(list)
        for row in rows:
            messages = _messages(row)
            due[row["thing"]] += messages
            if row["seq"] is not None:
                assert [place.get(id_, 0) for id_ in messages[-1:]] == ([row["seq"]] if row["seq"] else []), (
                    "what is marked is there"
                )
        for messages in due.values():
            there = [place[id_] for id_ in messages if id_ in place]
            assert there == sorted(there), "each thing's history is in order"
            assert all(id_ in place for id_ in messages[: len(there)]), "and has no hole"
        if all_of_it:
            assert sum(map(len, due.values())) == len(ids)
            assert all(row["seq"] is not None for row in rows)
            assert await self.sql.fetchval("SELECT bool_and(row ->> 'note' = 'unmappable') FROM dead_changes") in (
                True,
                None,
            )


def _messages(row: asyncpg.Record) -> list[str]:
    """The ids of what a change means."""
    match row["note"]:
        case "nothing" | "unmappable":
            return []
        case "double":
            return [str(row["event_id"]), str(uuid5(row["event_id"], "second"))]
    return [str(row["event_id"])]
