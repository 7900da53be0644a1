"""The table as the migration makes it: what the model says, and what the database keeps right or refuses by itself."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from chassis import migrate
from chassis.database import Database
from contracts.events import InboxItem
from inbox_service.app import MIGRATIONS
from inbox_service.models import Table

Sql = Callable[..., Awaitable[list[asyncpg.Record]]]

TYPES = {"text": "varchar"}
"""PostgreSQL's names of types that SQLAlchemy calls otherwise; a domain goes by the type below it."""

BAD_USER_IDS = ["", " ", "a.b", "*", ">", "al ice", "alice\n", "\nalice", "a" * 65, "alicé", "٣"]


@pytest.fixture
def insert(sql: Sql) -> Callable[..., Awaitable[asyncpg.Record]]:
    """`await insert(title="...")` inserts an item of alice's and returns the row."""

    async def inserted(**fields: Any) -> asyncpg.Record:
        row = {"recipient_id": "alice", "kind": "notice", "title": "x", **fields}
        values = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        statement = f"INSERT INTO inbox_items ({', '.join(row)}) VALUES ({values}) RETURNING *"  # noqa: S608
        return (await sql(statement, *row.values()))[0]

    return inserted


Insert = Callable[..., Awaitable[asyncpg.Record]]


async def test_the_table_has_the_columns_of_the_model(sql: Sql, database: Database) -> None:
    """The same names, the same types, and null where the model has it."""
    rows = await sql(
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_name = ANY($1)",
        list(Table.metadata.tables),
    )
    modelled = {
        (table.name, column.name, column.type.compile(database.engine.dialect).lower(), column.nullable)
        for table in Table.metadata.tables.values()
        for column in table.columns
    }
    found = {
        (
            row["table_name"],
            row["column_name"],
            TYPES.get(row["data_type"], row["data_type"]),
            row["is_nullable"] == "YES",
        )
        for row in rows
    }
    assert found == modelled


async def test_no_user_id_is_taken_that_would_reach_another_subject(insert: Insert) -> None:
    """Not from psql either, neither of the recipient nor of the sender."""
    for user in BAD_USER_IDS:
        for column in ("recipient_id", "sender_id"):
            with pytest.raises(asyncpg.CheckViolationError):
                await insert(**{column: user})


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("kind", ["", "Notice", "1st", "a-b", "a.b", "notice\n", "n" * 65, "é"]),
        ("title", ["", "x" * 201]),
        ("body", ["x" * 4_001]),
        ("data", ["[]", "7", "null", '{"a": "' + "x" * 32 * 1024 + '"}', '{"a": ' * 33 + "1" + "}" * 33]),
        ("data", ['{"a": 1e309}', '{"a": {"b": [0, -1e309]}}', '{"a": ' + "9" * 5_000 + "}"]),
    ],
)
async def test_no_item_is_taken_that_would_not_fit_into_an_event(
    insert: Insert, column: str, values: list[str]
) -> None:
    """The limits of the API hold for whoever writes."""
    for value in values:
        with pytest.raises(asyncpg.CheckViolationError):
            await insert(**{column: value})
    with pytest.raises(asyncpg.NotNullViolationError):
        await insert(**{column: None})


async def test_an_item_at_the_limits_is_taken(insert: Insert) -> None:
    """The database is not stricter than the API."""
    await insert(recipient_id="a" * 64, sender_id="Z" * 64, kind="n" * 64, title="🌊" * 200, body="🌊" * 4_000)
    await insert(data='{"a": ' * 32 + "1" + "}" * 32)
    await insert(data='{"a": "' + "x" * (32 * 1024 - len('{"a": ""}')) + '"}')
    await insert(data='{"a": [1e308, -1e308, 1e-5000, "1e309", true, null]}')


async def test_a_line_typed_into_psql_keeps_the_times_right(insert: Insert, sql: Sql) -> None:
    """`read_at` and `updated_at` follow from the change itself; to unread an item takes its time away again."""
    item = await insert()
    assert (item["is_read"], item["read_at"]) == (False, None)
    [read] = await sql("UPDATE inbox_items SET is_read = true RETURNING *")
    assert read["read_at"] == read["updated_at"] > item["updated_at"]
    [same] = await sql("UPDATE inbox_items SET is_read = true RETURNING *")
    assert same == read
    [edited] = await sql("UPDATE inbox_items SET title = 'y', updated_at = 'epoch' RETURNING *")
    assert edited["updated_at"] > read["updated_at"]
    assert edited["read_at"] == read["read_at"]
    [unread] = await sql("UPDATE inbox_items SET is_read = false RETURNING *")
    assert unread["read_at"] is None


async def test_read_at_says_whether_an_item_was_read_whatever_is_written_into_it(insert: Insert, sql: Sql) -> None:
    """There is no read item without a time, and no unread item with one."""
    read = await insert(is_read=True)
    assert read["read_at"] == read["created_at"]
    [kept] = await sql("UPDATE inbox_items SET read_at = NULL RETURNING *")
    assert kept["read_at"] == read["read_at"]
    await sql("DELETE FROM inbox_items")
    unread = await insert(read_at=read["read_at"])
    assert unread["read_at"] is None
    [still] = await sql("UPDATE inbox_items SET read_at = now() RETURNING *")
    assert still["read_at"] is None


async def test_an_item_is_not_moved(insert: Insert, sql: Sql) -> None:
    """To another recipient it would be new, and for the first one it would vanish without an event."""
    await insert()
    for change in ("recipient_id = 'bob'", "id = uuidv7()"):
        with pytest.raises(asyncpg.RaiseError, match="keeps its id and recipient"):
            await sql(f"UPDATE inbox_items SET {change}")  # noqa: S608
    with pytest.raises(asyncpg.RaiseError, match="use DELETE"):
        await sql("TRUNCATE inbox_items")
    assert [row["recipient_id"] for row in await sql("SELECT recipient_id FROM inbox_items")] == ["alice"]


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "10000-01-01Z", "0001-01-01Z BC"])
async def test_no_moment_is_taken_that_an_event_cannot_carry(insert: Insert, sql: Sql, moment: str) -> None:
    """The write fails, with the rule's name; it is not found out when nobody can be asked any more."""
    fields = "recipient_id, kind, title, is_read"
    for column in ("created_at", "updated_at", "read_at"):
        statement = f"INSERT INTO inbox_items ({fields}, {column}) VALUES ('bob', 'notice', 'x', true, '{moment}')"  # noqa: S608
        with pytest.raises(asyncpg.CheckViolationError, match="years_1_to_9999"):
            await sql(statement)
    await insert()
    with pytest.raises(asyncpg.CheckViolationError, match="years_1_to_9999"):
        await sql(f"UPDATE inbox_items SET created_at = '{moment}'")  # noqa: S608


async def test_a_refused_statement_is_not_captured(insert: Insert, sql: Sql) -> None:
    """Only what was committed is told."""
    await insert()
    with pytest.raises(asyncpg.CheckViolationError):
        await sql("UPDATE inbox_items SET title = repeat('x', 201)")
    assert [row["op"] for row in await sql("SELECT op FROM changes")] == ["insert"]


async def test_one_event_makes_one_item(insert: Insert, sql: Sql) -> None:
    """Also by hand, and also after the item was removed; items without an event are not affected."""
    await insert(source_event="event-1")
    again = "INSERT INTO inbox_items (recipient_id, kind, title, source_event) VALUES ('bob', 'notice', 'x', 'event-1')"
    assert await sql(f"{again} RETURNING id") == []
    await sql("DELETE FROM inbox_items")
    assert await sql(f"{again} RETURNING id") == []
    assert [await insert() for _ in range(2)]


async def back_to(database: Database, revision: str) -> None:
    """Undo what was done since a revision."""

    def undo(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, revision)

    async with database.transactional.begin() as connection:
        await connection.run_sync(undo)


async def test_the_migrations_can_be_undone_and_done_again(database: Database, sql: Sql) -> None:
    """They leave nothing behind: no table, no function, no domain."""
    await back_to(database, "base")
    assert await sql("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == []
    assert await sql("SELECT typname FROM pg_type WHERE typtype = 'd' AND typnamespace = 'public'::regnamespace") == []
    left = await sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert [row["tablename"] for row in left] == ["alembic_version"]
    await migrate.upgrade(database.engine.url.render_as_string(hide_password=False), MIGRATIONS)
    assert await database.ready(migrate.head(MIGRATIONS))


async def test_items_whose_moments_no_event_can_carry_are_mended_and_told_by_the_migration(
    database: Database, sql: Sql
) -> None:
    """Read or not, whichever moment it is; an item that was all right stays as it is."""
    await back_to(database, "0001")
    for title, is_read, column, moment in (
        ("right", True, "created_at", "2026-03-01Z"),
        ("unread", False, "created_at", "infinity"),
        ("old", True, "updated_at", "-infinity"),
        ("read", True, "read_at", "10000-01-01Z"),
    ):
        fields, values = f"recipient_id, kind, title, is_read, {column}", f"'alice', 'notice', $1, $2, '{moment}'"
        await sql(f"INSERT INTO inbox_items ({fields}) VALUES ({values})", title, is_read)  # noqa: S608
    before = await sql("SELECT * FROM inbox_items WHERE title = 'right'")
    await migrate.upgrade(database.engine.url.render_as_string(hide_password=False), MIGRATIONS)
    mended = await sql("SELECT row ->> 'title' AS title, row FROM changes WHERE op = 'update'")
    assert {row["title"] for row in mended} == {"unread", "old", "read"}
    for row in mended:
        item = InboxItem.model_validate_json(row["row"])
        assert item.is_read is (item.read_at is not None)
    assert await sql("SELECT * FROM inbox_items WHERE title = 'right'") == before
