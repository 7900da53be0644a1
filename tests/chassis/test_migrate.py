"""Bringing a database up to date: all of a migration or nothing, once, however many try."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, exc, text
from structlog.testing import capture_logs

import connection_service.app
import inbox_service.app
from chassis import migrate
from chassis.database import Database
from devstack.postgres import Postgres
from devstack.waiting import until

Sql = Callable[..., Awaitable[list[Any]]]

MIGRATIONS = Path(__file__).parent / "migrations"

SECOND = '''
from chassis.migrate import execute_script

revision = "0002"
down_revision = "0001"

def upgrade() -> None:
    execute_script("""{script}""")
'''


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """A copy of the migrations, to be added to."""
    return shutil.copytree(MIGRATIONS, tmp_path / "migrations")


def add_second(migrations: Path, script: str) -> None:
    (migrations / "versions" / "0002_second.py").write_text(SECOND.format(script=script))


async def tables(url: str) -> set[str]:
    database = Database(url, application_name="test")
    async with database.transaction() as connection:
        names = set(await connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))
    await database.close()
    return names


async def revision(url: str) -> Any:
    database = Database(url, application_name="test")
    async with database.transaction() as connection:
        found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    await database.close()
    return found


def downgrade(connection: Connection) -> None:
    """Undo every migration, as only a person would."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.downgrade(config, "base")


async def test_an_empty_database_gets_the_whole_schema(empty_url: str) -> None:
    """And says which one that is."""
    await migrate.upgrade(empty_url, MIGRATIONS)
    assert {"things", "changes", "dead_changes", "idempotency_keys"} <= await tables(empty_url)
    assert await revision(empty_url) == migrate.head(MIGRATIONS) == "0001"


async def test_migrating_again_changes_nothing(url: str, sql: Sql) -> None:
    """It is done at every start."""
    await sql("INSERT INTO things (note) VALUES ('kept')")
    await migrate.upgrade(url, MIGRATIONS)
    assert [row["note"] for row in await sql("SELECT note FROM things")] == ["kept"]


async def test_only_what_is_missing_is_done(url: str, sql: Sql, migrations: Path) -> None:
    """Several statements, with what is in the database already."""
    await sql("INSERT INTO things (note) VALUES ('kept')")
    add_second(migrations, "CREATE TABLE more (id bigint); INSERT INTO more SELECT id FROM things;")
    await migrate.upgrade(url, migrations)
    assert len(await sql("SELECT id FROM more")) == 1
    assert await revision(url) == migrate.head(migrations) == "0002"


async def test_of_a_migration_that_fails_nothing_is_left(url: str, sql: Sql, migrations: Path) -> None:
    """Neither of it nor of those before it, and it can be tried again when it has been mended."""
    add_second(migrations, "CREATE TABLE more (id bigint); SELECT 1 / 0;")
    with pytest.raises(Exception, match="division by zero"):
        await migrate.upgrade(url, migrations)
    assert "more" not in await tables(url)
    assert await revision(url) == "0001"
    add_second(migrations, "CREATE TABLE more (id bigint);")
    await migrate.upgrade(url, migrations)
    assert await revision(url) == "0002"


async def test_processes_that_migrate_at_the_same_time_do_it_once(empty_url: str) -> None:
    """The others wait, and find it done."""
    await asyncio.gather(*(migrate.upgrade(empty_url, MIGRATIONS) for _ in range(3)))
    assert await revision(empty_url) == "0001"


async def test_migrating_waits_for_a_server_that_is_away(own_postgres: Postgres) -> None:
    """The order of starting does not matter."""
    await own_postgres.create_databases("late")
    await own_postgres.stop()
    with capture_logs() as lines:
        migrating = asyncio.create_task(migrate.upgrade(own_postgres.url("late"), MIGRATIONS))
        assert await until(lambda: len(lines) > 0, within=10)
        assert lines[0]["event"] == "waiting for the database"
        await own_postgres.start()
        async with asyncio.timeout(30):
            await migrating
    assert await revision(own_postgres.url("late")) == "0001"


async def test_a_database_that_does_not_exist_is_not_waited_for(postgres: Postgres) -> None:
    """It will not appear by itself."""
    async with asyncio.timeout(10):
        with pytest.raises(exc.DBAPIError, match="does not exist"):
            await migrate.upgrade(postgres.url("nowhere"), MIGRATIONS)


async def test_what_was_made_can_be_removed(empty_url: str) -> None:
    """The helpers undo what they did."""
    await migrate.upgrade(empty_url, MIGRATIONS)
    database = Database(empty_url, application_name="test")
    async with database.transactional.begin() as connection:
        await connection.run_sync(downgrade)
    await database.close()
    assert await tables(empty_url) == {"alembic_version"}


@pytest.mark.parametrize("folder", [MIGRATIONS, connection_service.app.MIGRATIONS, inbox_service.app.MIGRATIONS])
def test_the_newest_revision_is_the_one_that_alembic_finds(folder: Path) -> None:
    """Although it is not asked."""
    config = Config()
    config.set_main_option("script_location", str(folder))
    assert migrate.head(folder) == ScriptDirectory.from_config(config).get_current_head()
