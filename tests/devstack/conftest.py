"""What the tests of the servers and the runner share."""

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from devstack.ports import free_port
from devstack.postgres import Postgres
from devstack.processes import Child, running

ROOT = Path(__file__).parents[2]


def new_folder() -> Path:
    """Make a directory that other accounts may pass through.

    Not one of pytest's: those are closed to others, and the next pytest on this machine closes them again.
    """
    folder = Path(tempfile.mkdtemp(prefix="tandem-test-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory for one test."""
    folder = new_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stack_home() -> Iterator[Path]:
    """A directory in which system after system runs: to make the databases anew takes longer than most tests."""
    folder = new_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_home() -> Iterator[Path]:
    """A DATA_DIR in which server after server runs, for the same reason."""
    folder = new_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def postgres(postgres_home: Path) -> AsyncIterator[Postgres]:
    """A running server that has been used before."""
    async with running(Postgres(postgres_home / "postgres")) as server:
        yield server


@pytest.fixture
def stack_environment(stack_home: Path) -> Mapping[str, str]:
    """Ports of its own for a system, where its state is, and where Python finds this project."""
    ports = {name: str(free_port()) for name in ("INBOX_PORT", "CONNECTION_PORT", "PUSH_PORT", "NATS_PORT")}
    return ports | {"DATA_DIR": str(stack_home / "data"), "PYTHONPATH": str(ROOT), "LOG_LEVEL": "DEBUG"}


@pytest.fixture
async def stack(stack_environment: Mapping[str, str]) -> AsyncIterator[Callable[..., Child]]:
    """Makes runners with stand-ins for the services: `runner = stack(lines, "--stubborn")`."""
    runners: list[Child] = []

    def make(lines: list[str], *options: str, **environment: str) -> Child:
        command = [sys.executable, str(Path(__file__).with_name("stand_in_stack.py")), *options]

        async def says_it_runs() -> bool:
            return bool(lines) and lines[-1].startswith("Tandem is running: ")

        runner = Child(
            "runner",
            command,
            env={**stack_environment, **environment},
            probe=says_it_runs,
            grace=6,  # seconds; it promises 5
            sink=lambda _, line: lines.append(line),
        )
        runners.append(runner)
        return runner

    yield make
    for runner in runners:
        await runner.stop()
