"""Whether the stream still holds what was published, on a real server whose store is tampered with."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nats.js.api import RawStreamMsg

import chassis.relay
from chassis.audit import Audit
from chassis.carrier import BATCH, Carrier
from chassis.database import Database
from chassis.publisher import Outcome, Publisher
from chassis.relay import Relay
from chassis.streams import EPOCH, Stream
from devstack.nats import Nats
from devstack.waiting import until
from tests.chassis.conftest import INTERPRETER

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
    nats: Nats,
    things: Stream,
    start_relay: StartRelay,
    insert: Insert,
    marks: Marks,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under a new epoch, behind what it still holds, each only once, and as soon as there is a connection again."""
    monkeypatch.setattr(chassis.relay, "AUDIT", 3600.0)
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


async def test_what_may_have_been_published_before_says_so(
    nats: Nats, things: Stream, start_relay: StartRelay, insert: Insert, marks: Marks, sql: Sql
) -> None:
    """So that it can be marked as a copy: also what was stored and lost before anybody could mark it."""
    _, _, relay = start_relay(ends=True)
    await insert("a")
    await marks()

    async def more() -> None:
        assert await until(lambda: things.bus.connected, within=20)
        await insert("b", "c")
        await marks()
        relay.cancel()
        await asyncio.wait([relay])
        await sql("UPDATE changes SET seq = NULL WHERE row ->> 'note' = 'c'")

    await restore(nats, more)
    assert await until(lambda: things.bus.connected, within=20)
    start_relay()
    assert await marks() == [("a", 1), ("b", 2), ("c", 3)]
    assert await copies(sql) == {"b", "c"}


@pytest.mark.parametrize(("answered", "copied"), [(True, set()), (False, {"b"})])
async def test_another_relay_may_have_found_the_loss(
    database: Database,
    things: Stream,
    insert: Insert,
    sql: Sql,
    monkeypatch: pytest.MonkeyPatch,
    answered: bool,
    copied: set[str],
) -> None:
    """All services share the stream. It has lost nothing that this one has marked; only what it cannot know of."""
    carrier = Carrier(things, Audit(things, INTERPRETER, "things.>"), INTERPRETER)
    async with database.engine.connect() as connection:
        await insert("a")
        assert await carrier.carry(connection) == "done"
        await insert("b")
        if not answered:
            with monkeypatch.context() as patch:
                patch.setattr(Publisher, "publish", no_answer)
                assert await carrier.carry(connection) == "failed"
        epoch = await things.begin_epoch()
        carrier.suspicious = True
        assert await carrier.carry(connection) == "done"
    assert await copies(sql) == copied
    assert (await epoch_of(things) == epoch) == answered


async def test_two_relays_that_find_a_loss_do_not_go_on_telling_each_other_of_it(
    database: Database, things: Stream, insert: Insert
) -> None:
    """Each has begun an epoch; that of the other is no news, however much waits."""
    carrier = Carrier(things, Audit(things, INTERPRETER, "things.>"), INTERPRETER)
    async with database.engine.connect() as connection:
        await insert(*(str(number) for number in range(2 * BATCH + 1)))
        while await carrier.carry(connection) == "more":
            pass
        await things.bus.jetstream.delete_stream(things.name)
        carrier.suspicious = True
        assert await carrier.carry(connection) == "more"
        epoch = await things.begin_epoch()
        carrier.suspicious = True
        assert await carrier.carry(connection) == "more"
    assert await epoch_of(things) == epoch


async def no_answer(*_: object) -> Outcome:
    """What becomes of messages when the server dies under them."""
    return Outcome((), "no answer")


async def test_what_is_committed_when_the_new_epoch_has_begun_is_no_copy(
    things: Stream, start_relay: StartRelay, insert: Insert, marks: Marks, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was connected may have fetched the state before it was there."""
    begin = Stream.begin_epoch

    async def begin_late(stream: Stream) -> str:
        epoch = await begin(stream)
        await insert("late")
        return epoch

    monkeypatch.setattr(Stream, "begin_epoch", begin_late)
    start_relay()
    await insert("a")
    await marks()
    await things.bus.jetstream.delete_stream(things.name)

    async def late() -> bool:
        return bool(await sql("SELECT FROM changes WHERE row ->> 'note' = 'late' AND seq IS NOT NULL"))

    assert await until(late, within=30)
    assert {note for note, _ in await marks()} == {"a", "late"}
    assert await copies(sql) == {"a"}


async def test_a_loss_is_found_although_more_was_published_behind_it(
    things: Stream, start_relay: StartRelay, insert: Insert, marks: Marks, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is new would stand where the lost ones stood, and nobody would miss those."""
    monkeypatch.setattr(chassis.relay, "AUDIT", 3600.0)
    start_relay()
    await insert("a", "b")
    await marks()
    info = await things.info()
    assert info is not None
    await things.bus.jetstream.delete_stream(things.name)
    await things.bus.jetstream.add_stream(info.config)
    await insert("c", "d", "e")
    assert {note for note, _ in await marks()} == set("abcde")
    assert await copies(sql) >= {"a", "b"}
    assert await epoch_of(things) != (info.config.metadata or {})[EPOCH]


async def copies(sql: Sql) -> set[str]:
    """What was published again."""
    return {row["note"] for row in await sql("SELECT row ->> 'note' AS note FROM changes WHERE again")}
