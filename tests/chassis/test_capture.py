"""What the database captures, and what it must not."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.database import Database
from devstack.postgres import Postgres

Sql = Callable[..., Awaitable[list[Any]]]


class Table(DeclarativeBase):
    """The tables of the tests' own service."""


class Thing(Table):
    """Something that somebody owns."""

    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    note: Mapped[str]


async def captured(sql: Sql) -> list[tuple[str, Any]]:
    """`(op, row)` of each captured change of `things`, and that there is none of anything else."""
    rows = await sql("SELECT table_name, op, row FROM changes ORDER BY id")
    assert {row["table_name"] for row in rows} <= {"things"}
    return [(row["op"], json.loads(row["row"])) for row in rows]


async def test_an_insert_an_update_and_a_delete_are_captured_with_the_row_as_it_is(sql: Sql) -> None:
    """The row of a delete is the last that was known of it."""
    await sql("INSERT INTO things (id, owner, note) VALUES (1, 'alice', 'a \"note\" ☂')")
    await sql("UPDATE things SET note = 'another' WHERE id = 1")
    await sql("DELETE FROM things WHERE id = 1")
    assert await captured(sql) == [
        ("insert", {"id": 1, "owner": "alice", "note": 'a "note" ☂'}),
        ("update", {"id": 1, "owner": "alice", "note": "another"}),
        ("delete", {"id": 1, "owner": "alice", "note": "another"}),
    ]


async def test_each_change_has_an_event_id_of_its_own_and_is_not_published_yet(sql: Sql) -> None:
    """The id is the database's: nobody can choose one that is used already."""
    await sql("INSERT INTO things (note) SELECT number::text FROM generate_series(1, 3) AS number")
    rows = await sql("SELECT event_id, seq, at FROM changes")
    assert len({row["event_id"] for row in rows}) == 3
    assert {row["seq"] for row in rows} == {None}
    assert all(row["at"].tzinfo is not None for row in rows)


async def test_a_bulk_update_of_the_orm_is_captured_row_by_row(database: Database, sql: Sql) -> None:
    """One statement, one change for each row that it changed, and none for the others."""
    await sql("INSERT INTO things (id, owner, note) VALUES (1, 'alice', 'a'), (2, 'alice', 'b'), (3, 'bob', 'c')")
    await sql("DELETE FROM changes")
    async with database.transaction() as connection:
        await connection.execute(update(Thing).where(Thing.owner == "alice").values(owner="carol"))
    assert sorted((op, row["id"], row["owner"]) for op, row in await captured(sql)) == [
        ("update", 1, "carol"),
        ("update", 2, "carol"),
    ]


async def test_an_update_that_changes_nothing_is_not_captured(sql: Sql) -> None:
    """Of all rows that an UPDATE touches, those count that differ afterwards."""
    await sql("INSERT INTO things (id, note) VALUES (1, 'a'), (2, 'b')")
    await sql("DELETE FROM changes")
    await sql("UPDATE things SET note = 'b', owner = owner")
    assert [(op, row["id"]) for op, row in await captured(sql)] == [("update", 1)]


async def test_a_transaction_that_is_rolled_back_leaves_nothing(database: Database, sql: Sql) -> None:
    """Captured is exactly what is committed."""

    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("INSERT INTO things (note) VALUES ('a')"))
            await connection.execute(text("UPDATE things SET note = 'b'"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await captured(sql) == []


async def test_only_what_a_savepoint_kept_is_captured(database: Database, sql: Sql) -> None:
    """A part that is undone leaves nothing, and what stands around it stays."""
    async with database.transaction() as connection:
        await connection.execute(text("INSERT INTO things (note) VALUES ('kept')"))
        undone = await connection.begin_nested()
        await connection.execute(text("INSERT INTO things (note) VALUES ('undone')"))
        await undone.rollback()
    assert [row["note"] for _, row in await captured(sql)] == ["kept"]


async def test_truncate_is_refused(sql: Sql) -> None:
    """It would empty the table without a word to anybody."""
    await sql("INSERT INTO things (note) VALUES ('a')")
    with pytest.raises(asyncpg.RaiseError, match="TRUNCATE of things would not be captured; use DELETE"):
        await sql("TRUNCATE things")
    assert [row["note"] for row in await sql("SELECT note FROM things")] == ["a"]


async def test_what_is_typed_into_psql_is_captured(postgres: Postgres, database: Database, sql: Sql) -> None:
    """COPY and a statement that inserts or updates among it."""
    script = (
        "COPY things (id, note) FROM STDIN;\n1\ta\n2\tb\n\\.\n"
        "INSERT INTO things (id, note) VALUES (2, 'x') ON CONFLICT (id) DO UPDATE SET note = 'c';\n"
    )
    name = database.engine.url.database
    assert name is not None
    psql = await asyncio.create_subprocess_exec(
        *postgres.psql_command(name), "-qv", "ON_ERROR_STOP=1", stdin=asyncio.subprocess.PIPE
    )
    await psql.communicate(script.encode())
    assert psql.returncode == 0
    assert [(op, row["id"], row["note"]) for op, row in await captured(sql)] == [
        ("insert", 1, "a"),
        ("insert", 2, "b"),
        ("update", 2, "c"),
    ]


async def test_a_table_that_nobody_asked_to_capture_is_left_alone(sql: Sql) -> None:
    """Its rows are no events, and it may be truncated."""
    await sql("INSERT INTO unseen VALUES (1)")
    await sql("TRUNCATE unseen")
    assert await captured(sql) == []
