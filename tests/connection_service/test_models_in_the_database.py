"""The tables as the migrations make them: what the models say, and what the database itself refuses."""

import uuid
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from chassis import migrate
from chassis.database import Database
from connection_service.app import MIGRATIONS
from connection_service.models import Table

Sql = Callable[..., Awaitable[list[asyncpg.Record]]]

PAIR, DAY = uuid.uuid4(), uuid.uuid4()

INSERT_MEMBER = "INSERT INTO members (partnership_id, user_id) VALUES ($1, $2)"
INSERT_ANSWER = "INSERT INTO connection_answers (connection_id, author_id, text) VALUES ($1, $2, $3)"

TYPES = {"text": "varchar"}
"""PostgreSQL's names of types that SQLAlchemy calls otherwise; a domain goes by the type below it."""

BAD_USER_IDS = ["", " ", "a.b", "*", ">", "al ice", "alice\n", "\nalice", "a" * 65, "alicé", "٣"]


@pytest.fixture
async def pair(sql: Sql) -> None:
    """alice and bob, and one question to them."""
    await sql("INSERT INTO partnerships (id, time_zone, created_at) VALUES ($1, 'UTC', now())", PAIR)
    for member in ("alice", "bob"):
        await sql(INSERT_MEMBER, PAIR, member)
    await sql(
        "INSERT INTO daily_connections (id, partnership_id, date, question_id, question)"
        " VALUES ($1, $2, '2026-03-01', 'q', '?')",
        DAY,
        PAIR,
    )


async def test_the_tables_have_the_columns_of_the_models(sql: Sql, database: Database) -> None:
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


async def test_no_table_takes_a_user_id_that_would_reach_another_subject(sql: Sql, pair: None) -> None:
    """Not from psql either."""
    for user in BAD_USER_IDS:
        with pytest.raises(asyncpg.CheckViolationError):
            await sql(INSERT_MEMBER, PAIR, user)
        with pytest.raises(asyncpg.CheckViolationError):
            await sql(INSERT_ANSWER, DAY, user, "x")
        with pytest.raises(asyncpg.CheckViolationError):
            await sql("INSERT INTO invites VALUES ('CODE', $1, 'UTC', now())", user)


async def test_an_answer_has_1_to_4000_characters(sql: Sql, pair: None) -> None:
    """The limit of the API, so that every answer fits into an event."""
    await sql(INSERT_ANSWER, DAY, "alice", "🌊" * 4_000)
    for text in ("", "x" * 4_001):
        with pytest.raises(asyncpg.CheckViolationError):
            await sql(INSERT_ANSWER, DAY, "bob", text)


async def test_what_may_be_there_once_is_there_once(sql: Sql, pair: None) -> None:
    """One answer each, one question a day, one partner at a time."""
    await sql(INSERT_ANSWER, DAY, "alice", "x")
    with pytest.raises(asyncpg.UniqueViolationError):
        await sql(INSERT_ANSWER, DAY, "alice", "y")
    with pytest.raises(asyncpg.UniqueViolationError):
        await sql(
            "INSERT INTO daily_connections (partnership_id, date, question_id, question)"
            " SELECT partnership_id, date, 'another', '?' FROM daily_connections"
        )
    other = uuid.uuid4()
    await sql("INSERT INTO partnerships (id, time_zone, created_at) VALUES ($1, 'UTC', now())", other)
    with pytest.raises(asyncpg.UniqueViolationError):
        await sql(INSERT_MEMBER, other, "alice")
    await sql("UPDATE members SET left_at = now() WHERE user_id = 'alice'")
    await sql(INSERT_MEMBER, other, "alice")


async def test_only_members_and_answers_are_captured_and_none_can_be_lost_by_truncating(sql: Sql, pair: None) -> None:
    """What is private to this service is not on the bus."""
    await sql(INSERT_ANSWER, DAY, "alice", "x")
    captured = [row["table_name"] for row in await sql("SELECT table_name FROM changes ORDER BY id")]
    assert captured == ["members", "members", "connection_answers"]
    for table in set(captured):
        with pytest.raises(asyncpg.RaiseError, match="use DELETE"):
            await sql(f"TRUNCATE {table}")


async def test_no_moment_is_taken_that_an_event_cannot_carry(sql: Sql, pair: None) -> None:
    """The write fails, with the rule's name; it is not found out when nobody can be asked any more."""
    answer = "INSERT INTO connection_answers (connection_id, author_id, text, created_at) VALUES ($1, 'bob', 'x', "
    for moment in ("infinity", "-infinity", "10000-01-01Z", "0001-01-01Z BC"):
        with pytest.raises(asyncpg.CheckViolationError, match="years_1_to_9999"):
            await sql(f"{answer} '{moment}')", DAY)
        with pytest.raises(asyncpg.CheckViolationError, match="years_1_to_9999"):
            await sql(f"UPDATE partnerships SET created_at = '{moment}'")  # noqa: S608


async def test_the_migrations_can_be_undone_and_done_again(database: Database, sql: Sql) -> None:
    """They leave nothing behind: no table, no function, no domain."""

    def undo(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    async with database.transactional.begin() as connection:
        await connection.run_sync(undo)
    assert await sql("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == []
    assert await sql("SELECT typname FROM pg_type WHERE typtype = 'd' AND typnamespace = 'public'::regnamespace") == []
    left = await sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert [row["tablename"] for row in left] == ["alembic_version"]
    await migrate.upgrade(database.engine.url.render_as_string(hide_password=False), MIGRATIONS)
    assert await database.ready(migrate.head(MIGRATIONS))
