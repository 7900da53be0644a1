"""Owns the embedded NATS server with JetStream, alone or as a member of a cluster, as a child of ours."""

import asyncio
import base64
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nkeys

from devstack.binaries import nats_server
from devstack.bus_keys import Account, BusKeys
from devstack.data_dir import fingerprint
from devstack.output import Sink
from devstack.ports import HOST
from devstack.processes import Child

AUTHORIZATION: Final = Path(__file__).parents[1] / "deploy" / "nats" / "authorization.conf"
"""Who may do what: the same file as in production."""

ROUTE_USER: Final = "route"

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
        keys: BusKeys | None = None,
        sink: Sink | None = None,
    ) -> None:
        """Describe the server; `start` writes its configuration to `data_dir` and starts it.

        Whoever has one of `keys` may do what `deploy/nats/authorization.conf` says, and nobody else anything. Without
        `keys` everybody may do everything: for tests of what needs a bus, and no accounts.
        """
        self.data_dir = data_dir.resolve()
        self.port = port
        self.keys = keys
        self.cluster = cluster
        # Always the same for a directory, as a cluster needs it, and nobody else's, by which `ready` knows its own.
        self.server_name = f"{name}-{fingerprint(self.data_dir)}"
        super().__init__(name, [nats_server(), "-c", self.data_dir / "nats.conf"], sink=sink)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{HOST}:{self.port}"

    def seed_file(self, account: Account) -> Path | None:
        """Where the seed is with which one connects as `account`; None if everybody may."""
        return self.keys.seed_file(account) if self.keys is not None else None

    def access(self, account: Account) -> Mapping[str, str]:
        """The variables with which a process connects as `account`."""
        seed_file = self.seed_file(account)
        return {"NATS_URL": self.url} | ({"NATS_NKEY_SEED_FILE": str(seed_file)} if seed_file is not None else {})

    async def spawn(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        # The configuration language is a superset of JSON, and JSON has an answer to every path.
        told = json.dumps(self.configuration(), indent=2) + "\n"
        if self.keys is not None:
            self.env |= self.keys.public_keys()
            shutil.copyfile(AUTHORIZATION, self.data_dir / AUTHORIZATION.name)  # no path leads out of there
            told = told.replace("{", f'{{\n  include "{AUTHORIZATION.name}"', 1)
        path = self.data_dir / "nats.conf"
        path.touch(mode=0o600)  # a cluster's has a password in it
        path.write_text(told)
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
            configuration["cluster"] = self._of_cluster(self.cluster)
        return configuration

    def _of_cluster(self, cluster: Cluster) -> dict[str, object]:
        told: dict[str, object] = {"name": cluster.name, "host": HOST, "port": cluster.port}
        guard = ""
        if self.keys is not None:  # whoever is taken for a server may do everything
            password = self.keys.route_password()
            told["authorization"] = {"user": ROUTE_USER, "password": password}
            guard = f"{ROUTE_USER}:{password}@"
        return told | {"routes": [f"nats://{guard}{HOST}:{port}" for port in cluster.routes]}

    async def _answer(self, subject: str) -> dict[str, Any] | None:
        """Ask in the client protocol's own words."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            greeting = await reader.readline()
            if not greeting.startswith(b"INFO "):
                return None
            info = json.loads(greeting[5:])
            if info["server_name"] != self.server_name:
                return None  # not ours: our own is about to find its port taken
            hello = json.dumps({"verbose": False} | self._proof(info.get("nonce", "")))
            writer.write(f"CONNECT {hello}\r\nSUB reply 1\r\nPUB {subject} reply 0\r\n\r\n".encode())
            while line := await reader.readline():
                if line.startswith(b"MSG "):
                    answer: dict[str, Any] = json.loads(await reader.readline())
                    return answer
            return None
        finally:
            writer.close()

    def _proof(self, nonce: str) -> dict[str, str]:
        """That we are the one who repairs, and may ask everything."""
        if (seed_file := self.seed_file("admin")) is None:
            return {}
        pair = nkeys.from_seed(bytearray(seed_file.read_bytes()))
        signature: bytes = pair.sign(nonce.encode())
        return {"nkey": pair.public_key.decode(), "sig": base64.b64encode(signature).decode()}


def cluster(
    data_dir: Path, ports: list[tuple[int, int]], *, keys: BusKeys | None = None, sink: Sink | None = None
) -> list[Nats]:
    """The members of a cluster, one for each pair of a client port and a cluster port; start them together."""
    routes = tuple(route for _, route in ports)
    return [
        Nats(data_dir / name, port, name=name, cluster=Cluster("tandem", route, routes), keys=keys, sink=sink)
        for name, (port, route) in ((f"nats-{number}", pair) for number, pair in enumerate(ports, start=1))
    ]
