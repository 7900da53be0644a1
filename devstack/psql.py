"""Owns `make psql`: a shell on the database of the running system."""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import NoReturn

from devstack.data_dir import DataDir
from devstack.errors import NotRunning
from devstack.postgres import Postgres
from devstack.settings import read_data_dir


def become_psql(environ: Mapping[str, str], database: str) -> NoReturn:
    """Become psql, which reads SQL from standard input, and then ends with exit code 3 at the first mistake.

    Raises:
        NotRunning: no server runs in DATA_DIR.
    """
    data_dir = read_data_dir(environ)
    postgres = Postgres(DataDir(data_dir).postgres)
    if not asyncio.run(postgres.answers()):
        raise NotRunning(f"no system is running in DATA_DIR={data_dir}: start it with `make run`")
    command = postgres.psql_command(database)
    if not sys.stdin.isatty():
        command += ["-v", "ON_ERROR_STOP=1"]
    os.execv(command[0], command)  # noqa: S606 - no shell is what we want
