"""Which of several relays of a database is active, also when the active one is frozen."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

import chassis.leadership
import chassis.relay
from chassis.database import Database
from chassis.leadership import LOCK, leadership
from chassis.relay import Relay
from devstack.waiting import until

Sql = Callable[..., Awaitable[list[Any]]]
StartRelay = Callable[..., tuple[Relay, Database, asyncio.Task[None]]]


async def test_the_lock_is_free_again_when_its_holder_is_done(database: Database) -> None:
    """Its connection is closed and not put back, or it would keep the lock."""
    for _ in range(3):
        async with leadership(database.engine) as connection:
            assert connection is not None
            async with leadership(database.engine) as second:
                assert second is None


async def test_a_holder_that_is_silent_for_too_long_is_replaced(
    sql: Sql, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a frozen process is: its connection stays open, and it says nothing."""
    monkeypatch.setattr(chassis.leadership, "SILENCE", 0.5)
    await sql("SELECT pg_advisory_lock($1)", LOCK)
    relay, _, _ = start_relay()
    assert await until(lambda: relay.active, within=20)
    with pytest.raises(Exception, match=r"closed|terminating"):
        await sql("SELECT 1")


async def test_a_holder_that_works_is_left_alone(
    database: Database, sql: Sql, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often somebody else would like to have its place."""
    monkeypatch.setattr(chassis.leadership, "SILENCE", 1.0)
    monkeypatch.setattr(chassis.relay, "STAND_BY", 0.05)
    await sql("SELECT pg_advisory_lock($1)", LOCK)
    relay, _, _ = start_relay()
    async with database.engine.connect() as watcher:
        attempts = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'relay'")
        seen = 0
        while seen < 5:
            await sql("SELECT pg_sleep(0.05)")
            seen += await watcher.scalar(attempts) or 0
            await watcher.rollback()
    assert not relay.active


async def test_the_lock_of_another_database_is_another_lock(database: Database, empty_url: str) -> None:
    """Advisory locks belong to a database, and so does the look for a silent holder."""
    other = Database(empty_url, application_name="test")
    async with leadership(other.engine) as theirs, leadership(database.engine) as ours:
        assert theirs is not None
        assert ours is not None
    await other.close()


async def test_only_the_leader_does_not_wait_for_the_disk(database: Database) -> None:
    """What it writes can be done again; what others write was promised to somebody. Its connection goes to nobody
    else afterwards."""
    show = text("SHOW synchronous_commit")
    async with leadership(database.engine) as connection:
        assert connection is not None
        assert await connection.scalar(show) == "off"
    async with database.statement() as statement, database.transaction() as transaction:
        assert [await session.scalar(show) for session in (statement, transaction)] == ["on", "on"]
