"""A relay that was replaced while it was about to publish: what it sends all the same must not be told last."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid5

import pytest
from nats.js.api import RawStreamMsg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.audit import Audit
from chassis.carrier import Carrier
from chassis.changes import Change, Interpreter, Meaning
from chassis.database import Database
from chassis.publisher import Message, Outcome, Publisher
from chassis.streams import Stream

Stored = Callable[..., Awaitable[list[RawStreamMsg]]]
Insert = Callable[..., Awaitable[None]]


def counted(batch: Sequence[Change]) -> Sequence[Meaning]:
    """A message for each thing, and behind the last one how many things there are now."""

    def message(change: Change, body: str, **options: Any) -> Message:
        name = str(uuid5(change.event_id, body))
        return Message(name, "things.alice", {"Nats-Msg-Id": name}, body.encode(), **options)

    *before, last = [(message(change, change.row["note"]),) for change in batch]
    both = (*last, message(batch[-1], f"{batch[-1].context} things", current=True))
    return [Meaning(change, messages) for change, messages in zip(batch, [*before, both], strict=True)]


COUNTED = Interpreter("SELECT count(*) FROM things", counted)


@pytest.fixture
def carrier(things: Stream) -> Callable[[], Carrier]:
    """Makes one, as each relay has its own."""
    return lambda: Carrier(things, Audit(things, COUNTED, "things.>"), COUNTED)


@pytest.fixture
def engine(database: Database) -> AsyncEngine:
    """Whose connections are like a leader's."""
    return database.engine


@pytest.mark.parametrize("count", [1, 20])
async def test_what_a_deposed_relay_counted_is_not_told_behind_what_its_successor_counted(
    engine: AsyncEngine,
    things: Stream,
    carrier: Callable[[], Carrier],
    insert: Insert,
    stored: Stored,
    count: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its changes are copies of what its successor has published, but its count would be news, and old."""
    has_read, may_publish = asyncio.Event(), asyncio.Event()
    publish = Publisher.publish

    async def frozen_once(publisher: Publisher, messages: Sequence[Message]) -> Outcome:
        if not has_read.is_set():
            has_read.set()
            await may_publish.wait()
        return await publish(publisher, messages)

    monkeypatch.setattr(Publisher, "publish", frozen_once)
    await insert(*(f"thing {number}" for number in range(count)))
    async with engine.connect() as of_deposed, engine.connect() as of_successor:
        deposed = asyncio.create_task(carrier().carry(of_deposed))
        await has_read.wait()
        await insert("one more")
        assert await carrier().carry(of_successor) == "done"
        may_publish.set()
        await deposed
    bodies = [(each.data or b"").decode() for each in await stored(things)]
    assert bodies == [*(f"thing {number}" for number in range(count)), "one more", f"{count + 1} things"]


async def test_a_count_whose_acknowledgement_was_lost_counts_as_stored(
    engine: AsyncEngine, things: Stream, carrier: Callable[[], Carrier], insert: Insert, stored: Stored
) -> None:
    """It is in its own way."""
    await insert("a")
    for _ in range(2):
        async with engine.connect() as connection:
            assert await carrier().carry(connection) == "done"
            marked = await connection.scalar(text("SELECT seq FROM changes"))
            await connection.execute(text("UPDATE changes SET seq = NULL"))
        assert marked is not None
    assert len(await stored(things)) == 2
