"""Whether the stream still holds what was published, on a real server whose store is tampered with."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nats.js.api import RawStreamMsg

import chassis.relay
from chassis.database import Database
from chassis.relay import Relay
from chassis.streams import EPOCH, Stream
from devstack.nats import Nats
from devstack.waiting import until

Sql = Callable[..., Awaitable[list[Any]]]
StartRelay = Callable[..., tuple[Relay, Database, asyncio.Task[None]]]
Insert = Callable[..., Awaitable[None]]
Marks = Callable[[], Awaitable[list[tuple[str, int]]]]
Stored = Callable[..., Awaitable[list[RawStreamMsg]]]


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """An audit before each look at the table."""
    monkeypatch.setattr(chassis.relay, "AUDIT", 0.0)


async def epoch_of(stream: Stream) -> str:
    info = await stream.info()
    assert info is not None
    return (info.config.metadata or {})[EPOCH]


async def restore(nats: Nats, change: Callable[[], Awaitable[None]]) -> None:
    """Put the server's store back to what it was before `change`, as from a backup."""
    copy = nats.data_dir.with_name(f"{nats.data_dir.name}-copy")
    await nats.stop()
    shutil.copytree(nats.data_dir, copy)
    await nats.start()
    await change()
    await nats.stop()
    shutil.rmtree(nats.data_dir)
    copy.rename(nats.data_dir)
    await nats.start()


async def test_what_a_restored_stream_has_lost_is_published_again(
    nats: Nats, things: Stream, start_relay: StartRelay, insert: Insert, marks: Marks, stored: Stored
) -> None:
    """Under a new epoch, behind what it still holds, and each only once."""
    start_relay()
    await insert("a", "b", "c")
    await marks()
    before = await epoch_of(things)

    async def more() -> None:
        assert await until(lambda: things.bus.connected, within=20)
        await insert("d", "e")
        await marks()

    await restore(nats, more)
    assert await until(lambda: things.bus.connected, within=20)

    async def whole_again() -> bool:
        info = await things.info()
        return info is not None and info.state.last_seq == 5

    assert await until(whole_again, within=30)
    assert await marks() == [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]
    assert [message.data for message in await stored(things)] == [b"a", b"b", b"c", b"d", b"e"]
    assert await epoch_of(things) != before


async def test_a_stream_that_has_only_forgotten_is_left_alone(
    things: Stream, start_relay: StartRelay, insert: Insert, marks: Marks, sql: Sql
) -> None:
    """What is past its time, or was purged by somebody, is not lost."""
    start_relay()
    await insert("a", "b", "c")
    await marks()
    before = await epoch_of(things)
    await things.bus.jetstream.purge_stream(things.name)
    await insert("d")
    assert await marks() == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]
    assert not await sql("SELECT FROM changes WHERE again")
    assert await epoch_of(things) == before


async def test_a_change_that_is_published_again_says_so(
    things: Stream, start_relay: StartRelay, insert: Insert, marks: Marks, sql: Sql
) -> None:
    """So that what it means can be marked as a copy."""
    start_relay()
    await insert("a")
    await marks()
    await things.bus.jetstream.delete_stream(things.name)
    await insert("b")

    async def published_again() -> bool:
        return bool(await sql("SELECT FROM changes WHERE again AND seq IS NOT NULL"))

    assert await until(published_again, within=30)
    assert {note for note, _ in await marks()} == {"a", "b"}
    rows = await sql("SELECT row ->> 'note' AS note FROM changes WHERE again")
    assert [row["note"] for row in rows] == ["a"]
