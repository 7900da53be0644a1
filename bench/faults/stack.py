"""Owns a whole system on free ports, with two copies of each service, as processes that can be killed and frozen."""

import asyncio
import contextlib
import datetime as dt
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import nats
from nats.aio.client import Client

from bench.faults.disk import mounted
from bench.faults.kinds import ALONE, Kind
from bench.faults.wire import Wire
from chassis.auth import issue_token
from chassis.settings import AuthSettings
from contracts.frames import PATH
from contracts.subjects import EVENTS_STREAM
from devstack.data_dir import DataDir
from devstack.ports import HOST, free_port
from devstack.postgres import Postgres
from devstack.processes import Child, running_together
from devstack.services import Service, environment, tandem
from devstack.settings import PORTS, Settings
from devstack.waiting import until

ROOT: Final = Path(__file__).parents[2]

SERVICES: Final = ("connection", "inbox", "push")
COPIES: Final = 2

HEARTBEAT: Final = 2
"""Seconds. A client notices a frozen gateway after twice that; the 25 s of production would make each row a minute."""

RECOVERY: Final = 60.0
"""Seconds within which everything must be ready again after a fault has ended."""

ACTIVE: Final = "this relay is active"
"""What the process says whose relay takes over."""


class Stack:
    """The running system.

    Attributes:
        servers: the nats-servers.
        nats: the first of them, which is the only one but in a cluster.
        wires: what each gateway reaches the only one through; in a cluster there are none.
        copies: the processes of each service.
        ports: where each of them listens.
        active: which copy's relay said last that it is the active one, by service.
    """

    def __init__(self, folder: Path, log: Path, kind: Kind) -> None:
        self._log = log.open("a")
        settings = [_settings(folder) for _ in range(COPIES)]
        self.place = DataDir(folder)
        self.postgres = Postgres(self.place.postgres, sink=self._keep)
        self.servers = kind.nats(self.place.nats, keys=self.place.bus_keys, sink=self._keep)
        self.nats = self.servers[0]
        self.wires = [Wire(self.nats.port) for _ in range(COPIES)] if kind.servers == 1 else []
        self._kind = kind
        self.active: dict[str, int] = {}
        self.copies: dict[str, list[Child]] = {name: [] for name in SERVICES}
        self.ports: dict[str, list[int]] = {name: [] for name in SERVICES}
        self._migrations: list[Child] = []
        self._auth = AuthSettings(secret=self.place.secret())
        for number, each in enumerate(settings):
            for service in tandem(each):
                self._add(service, each, number)

    def _add(self, service: Service, settings: Settings, number: int) -> None:
        told = environment(settings, self.postgres, self.nats, self.place.secret())
        env = {
            **told,
            **service.access(self.nats),
            "PYTHONPATH": str(ROOT),
            "NATS_URL": ",".join(self.bus_urls),
            "NATS_REPLICAS": str(self._kind.servers),
            "PUSH_HEARTBEAT": str(HEARTBEAT),
            "PUSH_DRAIN": "2",
            "PUSH_HANDSHAKES_PER_ADDRESS": "0",  # all of them come from here
        }
        if service.name == "push" and self.wires:
            env["NATS_URL"] = f"nats://{HOST}:{self.wires[number].port}"
        name = f"{service.name}-{number}"
        self.copies[service.name].append(
            Child(name, service.command, env=env, probe=service.ready, ready_within=RECOVERY, sink=self._keep)
        )
        self.ports[service.name].append(service.port)
        if service.migrate is not None and number == 0:
            self._migrations.append(Child(f"migrate {service.name}", service.migrate, env=env, sink=self._keep))

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, log: Path, kind: Kind = ALONE) -> AsyncIterator["Stack"]:
        """A system with nothing in it, gone afterwards; what its processes print is added to `log`."""
        folder = _new_folder()
        stack = cls(folder, log, kind)
        try:
            async with contextlib.AsyncExitStack() as parts:
                if kind.disk is not None:
                    parts.enter_context(mounted(stack.place.nats, mib=kind.disk))
                for wire in stack.wires:
                    await parts.enter_async_context(wire.running())
                await parts.enter_async_context(running_together([stack.postgres, *stack.servers]))
                await stack.postgres.create_databases("connection", "inbox")
                for migration in stack._migrations:
                    await migration.spawn()
                    assert await migration.wait() == 0, migration.name
                copies = [copy for copies in stack.copies.values() for copy in copies]
                await parts.enter_async_context(running_together(copies))
                yield stack
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            stack._log.close()

    @property
    def bus_urls(self) -> list[str]:
        """Where the nats-servers take clients."""
        return [server.url for server in self.servers]

    async def bus(self) -> Client:
        """A connection to NATS of somebody who may do everything."""
        return await nats.connect(self.bus_urls, nkeys_seed=str(self.nats.seed_file("admin")), connect_timeout=5)

    def url(self, service: str, copy: int) -> str:
        """Where a copy of a service with an HTTP API answers."""
        return f"http://{HOST}:{self.ports[service][copy]}/v1"

    def push_url(self, copy: int) -> str:
        """Where a copy of the gateway answers."""
        return f"ws://{HOST}:{self.ports['push'][copy]}{PATH}"

    def token(self, user: str, scope: str = "") -> str:
        """A token of `user`, good for longer than any run."""
        return issue_token(self._auth, user, scope=scope, ttl=24 * 3600)

    async def connect(self, database: str) -> asyncpg.Connection:
        """A connection of somebody who types SQL."""
        return await asyncpg.connect(dsn(self.postgres, database), timeout=5, command_timeout=20)

    async def whole(self) -> None:
        """Wait until everybody is ready, and every replica of the stream has all of it.

        Raises:
            TimeoutError: somebody was not within `RECOVERY` seconds.
        """
        children = [self.postgres, *self.servers, *(copy for copies in self.copies.values() for copy in copies)]

        async def ready() -> bool:
            return all(await asyncio.gather(self._replicated(), *(child.ready() for child in children)))

        if not await until(ready, within=RECOVERY, every=0.1):
            raise TimeoutError(f"not everybody was ready again within {RECOVERY:g} s")

    async def stream(self) -> Mapping[str, Any] | None:
        """What NATS says of the stream of events, which is an error while nobody leads it; None if it says nothing."""
        return await self.nats.ask(f"$JS.API.STREAM.INFO.{EVENTS_STREAM}")

    async def _replicated(self) -> bool:
        stream = await self.stream() or {}
        replicas = stream.get("cluster", {}).get("replicas", [])
        return len(replicas) == len(self.servers) - 1 and all(replica["current"] for replica in replicas)

    def mark(self, line: str) -> None:
        """Put a line of our own into the log."""
        self._keep("faults", f"{dt.datetime.now(dt.UTC):%H:%M:%S.%f} {line}")

    def _keep(self, name: str, line: str) -> None:
        self._log.write(f"{name:<14} | {line}\n")
        self._log.flush()
        service, _, number = name.rpartition("-")
        if ACTIVE in line and service in self.copies:
            self.active[service] = int(number)


def dsn(postgres: Postgres, database: str) -> str:
    """Where asyncpg finds a database."""
    return postgres.url(database).replace("+asyncpg", "")


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tandem-faults-"))
    folder.chmod(0o755)  # PostgreSQL's account must be able to pass
    return folder


def _settings(folder: Path) -> Settings:
    return Settings(ports={variable: free_port() for variable in PORTS}, data_dir=folder)


def client() -> httpx.AsyncClient:
    """An HTTP client that gives up soon and tries nothing twice."""
    # With every request httpcore looks twice for a library that we do not have, and at each connection that is idle.
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type] # the documented way to say that there is none
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=10)
    return httpx.AsyncClient(timeout=3.0, limits=limits)
