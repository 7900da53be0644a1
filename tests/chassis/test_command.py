"""The command line of a service, as `make run` and compose use it."""

import asyncio
import sys
from pathlib import Path

from chassis.database import Database
from chassis.migrate import head
from connection_service.app import MIGRATIONS

ROOT = Path(__file__).parents[2]


async def run(*arguments: str, database_url: str) -> tuple[int | None, str]:
    """The exit code, and what is said on standard error."""
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connection_service", *arguments),
        env={"CONNECTION_DATABASE_URL": database_url},
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        _, said = await service.communicate()
    return service.returncode, said.decode()


async def test_migrate_brings_the_database_up_to_date_and_ends(empty_url: str) -> None:
    """It needs nothing but the database: no key, no bus."""
    code, said = await run("migrate", database_url=empty_url)
    assert code == 0, said
    database = Database(empty_url, application_name="test")
    assert await database.ready(head(MIGRATIONS))
    await database.close()


async def test_an_argument_that_means_nothing_is_exit_code_2() -> None:
    """With what there is."""
    code, said = await run("migrated", database_url="postgresql+asyncpg:///nowhere")
    assert (code, said) == (2, "usage: python -m connection_service [migrate]\n")
