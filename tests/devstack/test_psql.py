"""`python -m devstack`, and psql on the running system."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from devstack.postgres import Postgres

ROOT = Path(__file__).parents[2]


async def devstack(data_dir: Path, *arguments: str, sql: str = "") -> tuple[int | None, str, str]:
    """Run `python -m devstack` on a directory; return its exit code, output and complaints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "devstack",
        *arguments,
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(data_dir)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(sql.encode())
    return process.returncode, out.decode(), err.decode()


async def test_sql_on_standard_input_runs_in_the_database_that_was_asked_for(
    postgres: Postgres, postgres_home: Path
) -> None:
    await postgres.create_databases("inbox", "connection")
    where = "\\t\n\\a\nSELECT current_database();"
    assert (await devstack(postgres_home, "psql", sql=where))[1].endswith("inbox\n")
    assert (await devstack(postgres_home, "psql", "connection", sql=where))[1].endswith("connection\n")


async def test_a_mistake_in_the_sql_ends_psql_with_exit_code_3(postgres: Postgres, postgres_home: Path) -> None:
    await postgres.create_databases("inbox")
    code, out, err = await devstack(postgres_home, "psql", sql="SELECT 1/0;\nSELECT 'reached';")
    assert (code, out) == (3, "")
    assert "division by zero" in err


@pytest.mark.parametrize("there", [True, False])
async def test_without_a_running_system_it_is_one_line_and_exit_1(data_dir: Path, there: bool) -> None:
    place = data_dir if there else data_dir / "nowhere"
    code, out, err = await devstack(place, "psql", sql="SELECT 1")
    assert (code, out) == (1, "")
    assert err == f"no system is running in DATA_DIR={place}: start it with `make run`\n"


async def test_a_wrong_variable_stops_the_real_stack_too(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_PORT", "zero")
    code, out, err = await devstack(data_dir, "run")
    assert (code, out) == (2, "")
    assert err == "tandem: NATS_PORT='zero' is not a port: give a number from 1 to 65535\n"
