"""Owns bringing a service's database up to date with Alembic, and knowing which revision that is.

Alembic is loaded where it is used: a service that only serves does not need it, and starts sooner.
"""

import asyncio
from importlib import import_module
from pathlib import Path
from typing import cast

import structlog
from sqlalchemy import AdaptedConnection, Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chassis.database import RETRY, is_unavailable

log = structlog.get_logger(__name__)

LOCK = 0x6D696772617465
"""The advisory lock under which one process at a time migrates a database."""


def migrations_of(service: str) -> Path:
    """The folder of them in the package of a service."""
    [folder] = import_module(service).__path__
    return Path(folder, "migrations")


def head(migrations: Path) -> str:
    """The newest revision in the folder `migrations`: the schema that this code needs.

    The files are named by their revisions, in order; `test_migrate.py` sees that Alembic says the same.
    """
    return max(file.name.partition("_")[0] for file in (migrations / "versions").glob("[0-9]*_*.py"))


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
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415

    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    log.info("migrated", revision=head(migrations))


def run_environment() -> None:
    """What each service's `migrations/env.py` calls: run the migrations in the transaction of `upgrade`."""
    from alembic import context  # noqa: PLC0415 - see above

    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()


def execute_script(statements: str) -> None:
    """Run several statements in a migration; a prepared statement, which SQLAlchemy makes of everything, holds one."""
    from alembic import op  # noqa: PLC0415 - see above

    connection = cast("AdaptedConnection", op.get_bind().connection.dbapi_connection)
    connection.run_async(lambda asyncpg: asyncpg.execute(statements))
