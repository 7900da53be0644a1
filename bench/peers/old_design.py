"""Owns the old design as processes: its web server, uvicorn's or daphne's, and the commands that prepare it."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from bench.peers import programs
from bench.peers.redis import Redis
from devstack.errors import ChildEnded
from devstack.output import Sink
from devstack.ports import HOST, free_port
from devstack.postgres import Postgres
from devstack.processes import Child

Kind = Literal["uvicorn", "daphne"]

DATABASE: Final = "peer"
PACKAGE: Final = "bench.peers.django_channels"
READY_WITHIN: Final = 60.0
"""Seconds."""

UVICORN: Final = (
    *("--loop", "uvloop", "--http", "httptools", "--timeout-keep-alive", "60"),
    *("--no-access-log", "--log-level", "warning"),
)
DAPHNE: Final = ("--verbosity", "0", "--access-log", "/dev/null", "--no-server-name")


def environment(redis: Redis, secret: str, postgres: Postgres | None = None) -> Mapping[str, str]:
    """What its settings read; without a database there are only sockets."""
    host = str(postgres.socket_dir) if postgres else ""
    return {
        "DJANGO_SETTINGS_MODULE": f"{PACKAGE}.settings",
        "PYTHONPATH": str(programs.ROOT),
        "PEER_DATABASE": DATABASE,
        "PEER_DATABASE_HOST": host,
        "PEER_REDIS_URL": redis.url,
        "PEER_SECRET": secret,
    }


def web_server(kind: Kind, port: int) -> Sequence[str]:
    """What the Python of a web server is told."""
    place = ("--host", HOST, "--port", str(port)) if kind == "uvicorn" else ("-b", HOST, "-p", str(port))
    options = UVICORN if kind == "uvicorn" else DAPHNE
    return ["-m", kind, *place, *options, f"{PACKAGE}.asgi:application"]


class WebServer(Child):
    """One process that serves HTTP and WebSockets."""

    def __init__(
        self, kind: Kind, env: Mapping[str, str], *, prefix: Sequence[str | Path] = (), sink: Sink | None = None
    ) -> None:
        """Describe it.

        Args:
            prefix: of the command, for example to choose a core.

        Raises:
            programs.Absent: its packages are not installed.
        """
        self.port = free_port()
        command = [*prefix, programs.python(), *web_server(kind, self.port)]
        super().__init__(kind, command, env=env, probe=self._accepts, ready_within=READY_WITHIN, sink=sink or _complain)

    async def _accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False
        writer.close()
        return True


async def migrate(env: Mapping[str, str]) -> None:
    """Bring the database up to date.

    Raises:
        ChildEnded: it could not be.
    """
    command = (programs.python(), "-m", "django", "migrate", "--verbosity", "0")
    child = Child("migrate", command, env=env, sink=_complain)
    await child.spawn()
    if (code := await child.wait()) != 0:
        raise ChildEnded(child.name, code)


def _complain(name: str, line: str) -> None:
    sys.stderr.write(f"{name:<8} | {line}\n")
