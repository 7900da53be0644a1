"""What the tests of the servers and the runner share."""

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from devstack.ports import free_port
from devstack.processes import Child

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory that other accounts may pass through.

    Not pytest's: that one is closed to others, and the next pytest on this machine closes it again.
    """
    folder = Path(tempfile.mkdtemp(prefix="tandem-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def stack_environment(data_dir: Path) -> Mapping[str, str]:
    """Ports and a directory of its own for a system, and where Python finds this project."""
    ports = {name: str(free_port()) for name in ("INBOX_PORT", "CONNECTION_PORT", "PUSH_PORT", "NATS_PORT")}
    return ports | {"DATA_DIR": str(data_dir / "data"), "PYTHONPATH": str(ROOT), "LOG_LEVEL": "DEBUG"}


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
