"""Owns a whole system on free ports, with two copies of each service, as processes that can be killed and frozen."""

import asyncio
import contextlib
import datetime as dt
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg
import httpx

from chassis.auth import issue_token
from chassis.settings import AuthSettings
from contracts.frames import PATH
from devstack.data_dir import DataDir
from devstack.nats import Nats
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
        copies: the processes of each service.
        ports: where each of them listens.
        active: which copy's relay said last that it is the active one, by service.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self._log = log.open("a")
        settings = [_settings(folder) for _ in range(COPIES)]
        nats_port = settings[0].ports["NATS_PORT"]
        self.place = DataDir(folder)
        self.postgres = Postgres(self.place.postgres, sink=self._keep)
        self.nats = Nats(self.place.nats, nats_port, sink=self._keep)
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
        env = {**told, "PYTHONPATH": str(ROOT), "PUSH_HEARTBEAT": str(HEARTBEAT), "PUSH_DRAIN": "2"}
        name = f"{service.name}-{number}"
        self.copies[service.name].append(
            Child(name, service.command, env=env, probe=service.ready, ready_within=RECOVERY, sink=self._keep)
        )
        self.ports[service.name].append(service.port)
        if service.migrate is not None and number == 0:
            self._migrations.append(Child(f"migrate {service.name}", service.migrate, env=env, sink=self._keep))

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, log: Path) -> AsyncIterator["Stack"]:
        """A system with nothing in it, gone afterwards; what its processes print is added to `log`."""
        folder = _new_folder()
        stack = cls(folder, log)
        try:
            async with running_together([stack.postgres, stack.nats]):
                await stack.postgres.create_databases("connection", "inbox")
                for migration in stack._migrations:
                    await migration.spawn()
                    assert await migration.wait() == 0, migration.name
                async with running_together([copy for copies in stack.copies.values() for copy in copies]):
                    yield stack
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            stack._log.close()

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
        """Wait until everybody is ready.

        Raises:
            TimeoutError: somebody was not within `RECOVERY` seconds.
        """

        async def ready() -> bool:
            children = [self.postgres, self.nats, *(copy for copies in self.copies.values() for copy in copies)]
            return all(await asyncio.gather(*(child.ready() for child in children)))

        if not await until(ready, within=RECOVERY, every=0.1):
            raise TimeoutError(f"not everybody was ready again within {RECOVERY:g} s")

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
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    return httpx.AsyncClient(timeout=3.0, limits=limits)
