"""Owns the Redis server of the old design: Debian's, on loopback, in memory alone, as a child of ours."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.peers import programs
from devstack.output import Sink
from devstack.ports import HOST, free_port
from devstack.processes import Child

PACKAGE: Final = "redis-server"
PROBE_TIMEOUT: Final = 1.0
"""Seconds."""


def program() -> tuple[Path, Mapping[str, str]]:
    """The server and the environment that it needs.

    Raises:
        programs.Absent: there is none.
    """
    there = shutil.which("redis-server")
    if there is not None:
        return Path(there), {}
    folder = programs.debian(PACKAGE)
    return folder / "usr/bin/redis-server", programs.libraries(folder)


def version() -> str:
    """Of the server, as `redis 1.2.3`."""
    server, env = program()
    said = programs.output([str(server), "--version"], env)
    return f"redis {said.partition('v=')[2].partition(' ')[0]}"


class Redis(Child):
    """A Redis that keeps nothing on disk, as a channel layer needs it."""

    def __init__(self, *, prefix: Sequence[str | Path] = (), sink: Sink | None = None) -> None:
        """Describe it.

        Args:
            prefix: of the command, for example to choose a core.

        Raises:
            programs.Absent: there is no Redis.
        """
        self.port = free_port()
        server, env = program()
        options = [
            "--bind",
            HOST,
            "--port",
            str(self.port),
            "--save",
            "",
            "--appendonly",
            "no",
            "--loglevel",
            "warning",
        ]
        super().__init__("redis", [*prefix, server, *options], env=env, probe=self._answers, sink=sink or _keep_quiet)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis://{HOST}:{self.port}"

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                reader, writer = await asyncio.open_connection(HOST, self.port)
                writer.write(b"PING\r\n")
                answer = await reader.readline()
                writer.close()
        except OSError:  # includes TimeoutError
            return False
        return answer == b"+PONG\r\n"


def _keep_quiet(name: str, line: str) -> None:
    """What it says at its start and end is no news."""
