"""The rows of captured changes, and how old ones go."""

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

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
