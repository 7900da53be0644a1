"""Owns the embedded NATS server with JetStream, alone or as a member of a cluster, as a child of ours."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devstack.binaries import nats_server
from devstack.data_dir import fingerprint
from devstack.output import Sink
from devstack.ports import HOST
from devstack.processes import Child

PROBE_TIMEOUT: Final = 1.0
"""Seconds for a probe. A member of a cluster without a leader does not answer at all."""


@dataclass(frozen=True)
class Cluster:
    """What one member knows of its cluster."""

    name: str
    port: int  # where this member takes routes
    routes: tuple[int, ...]  # the cluster ports of all members; its own among them does no harm


class Nats(Child):
    """A NATS server on `port` of the loopback interface, which stores what it acknowledges in `data_dir`."""

    def __init__(
        self,
        data_dir: Path,
        port: int,
        *,
        name: str = "nats",
        cluster: Cluster | None = None,
        sink: Sink | None = None,
    ) -> None:
        """Describe the server; `start` writes its configuration to `data_dir` and starts it."""
        self.data_dir = data_dir.resolve()
        self.port = port
        self.cluster = cluster
        # Always the same for a directory, as a cluster needs it, and nobody else's, by which `ready` knows its own.
        self.server_name = f"{name}-{fingerprint(self.data_dir)}"
        super().__init__(name, [nats_server(), "-c", self.data_dir / "nats.conf"], sink=sink)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{HOST}:{self.port}"

    async def spawn(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        # The configuration language is a superset of JSON, and JSON has an answer to every path.
        (self.data_dir / "nats.conf").write_text(json.dumps(self.configuration(), indent=2) + "\n")
        await super().spawn()

    async def ready(self) -> bool:
        """Whether JetStream answers: for a member of a cluster, that there is a leader too."""
        answer = await self.ask("$JS.API.INFO")
        return answer is not None and "error" not in answer

    async def ask(self, subject: str) -> dict[str, Any] | None:
        """What JetStream says to an empty request that is sent through this server; None if it says nothing in time."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                return await self._answer(subject)
        except OSError:  # includes TimeoutError
            return None

    def configuration(self) -> dict[str, object]:
        """What the server is told."""
        configuration: dict[str, object] = {
            "server_name": self.server_name,
            "host": HOST,
            "port": self.port,
            # Every message on disk before it is acknowledged: a power cut loses none.
            "jetstream": {"store_dir": str(self.data_dir), "sync_interval": "always"},
            "logtime": False,
        }
        if self.cluster is not None:
            configuration["cluster"] = {
                "name": self.cluster.name,
                "host": HOST,
                "port": self.cluster.port,
                "routes": [f"nats://{HOST}:{port}" for port in self.cluster.routes],
            }
        return configuration

    async def _answer(self, subject: str) -> dict[str, Any] | None:
        """Ask in the client protocol's own words."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            greeting = await reader.readline()
            if not greeting.startswith(b"INFO ") or json.loads(greeting[5:])["server_name"] != self.server_name:
                return None  # not ours: our own is about to find its port taken
            writer.write(f'CONNECT {{"verbose":false}}\r\nSUB reply 1\r\nPUB {subject} reply 0\r\n\r\n'.encode())
            while line := await reader.readline():
                if line.startswith(b"MSG "):
                    answer: dict[str, Any] = json.loads(await reader.readline())
                    return answer
            return None
        finally:
            writer.close()


def cluster(data_dir: Path, ports: list[tuple[int, int]], *, sink: Sink | None = None) -> list[Nats]:
    """The members of a cluster, one for each pair of a client port and a cluster port; start them together."""
    routes = tuple(route for _, route in ports)
    return [
        Nats(data_dir / name, port, name=name, cluster=Cluster("tandem", route, routes), sink=sink)
        for name, (port, route) in ((f"nats-{number}", pair) for number, pair in enumerate(ports, start=1))
    ]
