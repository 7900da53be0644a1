"""The old design with a channel layer that loses messages and is mirrored, and people who use it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.job.old import Old
from bench.peers import programs
from bench.peers.redis import Redis
from bench.push.contender import cores
from devstack.postgres import Postgres
from devstack.processes import running
from mirror.handover import Sent, read

SECRET = "what signs the tokens of the old side, and of nobody else"

LAYER = "tests.mirror.lossy_layer.LossyLayer"
"""By its name: what it is made of is there in the old design's environment alone."""


class Lossy(Old):
    """The old design, which loses one message in a hundred on its way to its sockets."""

    def __init__(self, postgres: Postgres, log: Path) -> None:
        super().__init__("uvicorn", postgres, SECRET, variables={"PEER_CHANNEL_LAYER": LAYER, "LOSSY_LOG": str(log)})
        self._log = log

    def lost(self) -> list[Sent]:
        """What it has lost so far."""
        return [read(line) for line in self._log.read_text().splitlines()]


@pytest.fixture(scope="module")
async def old(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lossy]:
    """It, on uvicorn."""
    system = Lossy(postgres, tmp_path_factory.mktemp("old") / "lost")
    reason = system.available()
    if reason is not None:
        pytest.skip(f"the old design is not here: {reason}")
    try:
        await system.start(cores()[0])
        yield system
    finally:
        await system.stop()


@pytest.fixture
async def redis_url() -> AsyncIterator[str]:
    """A Redis with nothing in it."""
    try:
        server = Redis()
    except programs.Absent as reason:
        pytest.skip(f"there is no Redis: {reason}")
    async with running(server):
        yield server.url
