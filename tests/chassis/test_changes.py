"""The rows of captured changes, and how old ones go."""

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import text

from chassis import changes
from chassis.database import Database

Sql = Callable[..., Awaitable[list[Any]]]
Insert = Callable[..., Awaitable[None]]


async def test_an_unpublished_change_is_never_forgotten(database: Database, insert: Insert, sql: Sql) -> None:
    """However old it is: of the others so many at once go as are asked for."""
    await insert("unpublished", "a", "b", "c")
    await sql("UPDATE changes SET at = now() - interval '1 year'")
    await sql("UPDATE changes SET seq = id WHERE row ->> 'note' <> 'unpublished'")
    async with database.transactional.begin() as connection:
        hour = dt.timedelta(hours=1)
        assert [await changes.forget(connection, keep=hour, limit=2) for _ in range(3)] == [2, 1, 0]
    assert [row["note"] for row in await sql("SELECT row ->> 'note' AS note FROM changes")] == ["unpublished"]


async def test_changes_are_found_by_their_index_before_anything_is_known_of_the_table(
    database: Database, insert: Insert, sql: Sql
) -> None:
    """PostgreSQL plans a statement for good while the table is as good as empty. In the burst that follows, each batch
    would look through all that was published before it."""
    rounds, batch = 30, 20
    async with database.engine.connect() as connection:
        for number in range(rounds):
            await insert(*(f"{number}" for _ in range(batch)))
            waiting = await changes.unpublished(connection, changes.NO_CONTEXT, limit=500)
            await changes.mark(connection, [(change.id, change.id) for change in waiting])
        await connection.execute(text("SELECT pg_stat_force_next_flush()"))
    [seen] = await sql("SELECT seq_tup_read, n_tup_upd FROM pg_stat_user_tables WHERE relname = 'changes'")
    assert seen["n_tup_upd"] == rounds * batch
    planned_for_its_values = range(1, 6)  # five times; the table is small enough then to be looked through
    assert seen["seq_tup_read"] <= sum(planned_for_its_values) * batch
