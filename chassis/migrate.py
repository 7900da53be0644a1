"""Owns bringing a service's database up to date with Alembic, and knowing which revision that is."""

import asyncio
from pathlib import Path
from typing import cast

import structlog
from alembic import command, context, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import AdaptedConnection, Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chassis.database import RETRY, is_unavailable

log = structlog.get_logger(__name__)

LOCK = 0x6D696772617465
"""The advisory lock under which one process at a time migrates a database."""


def _config(migrations: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations))
    return config


def head(migrations: Path) -> str:
    """The newest revision in the folder `migrations`: the schema that this code needs."""
    revision = ScriptDirectory.from_config(_config(migrations)).get_current_head()
    assert revision is not None, f"{migrations} holds at least one migration"
    return revision


async def upgrade(url: str, migrations: Path) -> None:
    """Bring the database at `url` to the newest revision, waiting for the database as long as it takes."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        while True:
            try:
                async with engine.begin() as connection:
                    await connection.run_sync(_upgrade, migrations)
            except Exception as error:
                if not is_unavailable(error):
                    raise
                log.warning("waiting for the database", error=str(error))
                await asyncio.sleep(RETRY)
            else:
                return
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, migrations: Path) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    config = _config(migrations)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    log.info("migrated", revision=head(migrations))


def run_environment() -> None:
    """What each service's `migrations/env.py` calls: run the migrations in the transaction of `upgrade`."""
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()


def execute_script(statements: str) -> None:
    """Run several statements in a migration; a prepared statement, which SQLAlchemy makes of everything, holds one."""
    connection = cast("AdaptedConnection", op.get_bind().connection.dbapi_connection)
    connection.run_async(lambda asyncpg: asyncpg.execute(statements))
