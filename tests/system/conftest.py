"""The whole system, as real processes: started like `make run` does it, or put together from its parts."""

import contextlib
import itertools
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

import connection_service.app
import inbox_service.app
from chassis import migrate
from devstack.data_dir import DataDir
from devstack.nats import Nats
from devstack.ports import free_port
from devstack.postgres import Postgres
from devstack.processes import Child, running, running_together
from devstack.services import Service, environment, tandem
from devstack.settings import PORTS, Settings
from tests.system.system import System

ROOT = Path(__file__).parents[2]

_numbers = itertools.count()


def new_settings(data_dir: Path) -> Settings:
    """Ports of its own for a system."""
    return Settings(ports={variable: free_port() for variable in PORTS}, data_dir=data_dir)


def bus_of(settings: Settings) -> Nats:
    """The NATS server of a system, as its runner would start it."""
    place = DataDir(settings.data_dir)
    return Nats(place.nats, settings.ports["NATS_PORT"], keys=place.bus_keys)


class Runner(Child):
    """`make run` without make. It is ready when it has printed the page's address."""

    def __init__(self, settings: Settings) -> None:
        self._lines: list[str] = []
        super().__init__(
            "tandem",
            [sys.executable, "-m", "devstack", "run"],
            env=as_environment(settings) | {"PYTHONPATH": str(ROOT)},
            ready_within=120,
            grace=6,  # seconds; it promises 5
            sink=self._print_and_keep,
        )

    async def spawn(self) -> None:
        self._lines.clear()
        await super().spawn()

    async def ready(self) -> bool:
        return any(line.startswith("Tandem is running: ") for line in self._lines)  # a service may say more after it

    def _print_and_keep(self, _: str, line: str) -> None:
        self._lines.append(line)
        print(line)  # pytest shows it with a test that fails


def as_environment(settings: Settings) -> dict[str, str]:
    """The variables that say what `settings` say."""
    return {name: str(port) for name, port in settings.ports.items()} | {"DATA_DIR": str(settings.data_dir)}


class People:
    """People whom no other test knows."""

    def __init__(self, system: System) -> None:
        self._system = system

    def someone(self, name: str) -> str:
        """The id of a new user."""
        return f"{name}-{secrets.token_hex(4)}"

    async def partners(self) -> tuple[str, str]:
        """Alice and Bob, who are partners and have been told."""
        alice, bob = self.someone("alice"), self.someone("bob")
        invite = await self._system.post(f"{self._system.connection}/partnership/invites", alice)
        async with self._system.device(alice) as hers, self._system.device(bob) as his:
            await self._system.post(f"{self._system.connection}/partnership/accept", bob, {"code": invite["code"]})
            for device in (hers, his):
                await device.event("connection_partnership:created")
        return alice, bob


class Parts:
    """A system put together here, so that a test can kill its servers and start its services twice."""

    def __init__(self, system: System, postgres: Postgres, nats: Nats) -> None:
        self.system = system
        self.postgres = postgres
        self.nats = nats

    @contextlib.asynccontextmanager
    async def second_copy(self) -> AsyncIterator[System]:
        """The same system, by way of a second copy of the two services with a database, on other ports."""
        ports = {**self.system.settings.ports, "INBOX_PORT": free_port(), "CONNECTION_PORT": free_port()}
        settings = Settings(ports=ports, data_dir=self.system.settings.data_dir)
        services = [service for service in tandem(settings) if service.name in ("connection", "inbox")]
        async with (
            running_together(children(services, settings, self.postgres, self.nats)),
            System.at(settings) as system,
        ):
            yield system


def children(
    services: list[Service], settings: Settings, postgres: Postgres, nats: Nats, **variables: str
) -> list[Child]:
    """The services as children of ours, told what the runner of `make run` would tell them, and these variables."""
    told: Mapping[str, str] = environment(settings, postgres, nats, DataDir(settings.data_dir).secret())
    env = {**told, "PYTHONPATH": str(ROOT), **variables}
    return [
        Child(each.name, each.command, env={**env, **each.access(nats)}, probe=each.ready, ready_within=60)
        for each in services
    ]


async def migrated(postgres: Postgres) -> None:
    """Make the databases, as they are to be."""
    await postgres.create_databases("connection", "inbox")
    await migrate.upgrade(postgres.url("connection"), connection_service.app.MIGRATIONS)
    await migrate.upgrade(postgres.url("inbox"), inbox_service.app.MIGRATIONS)


@pytest.fixture(scope="session")
async def system(server_dir: Path) -> AsyncIterator[System]:
    """The system that all tests share which neither stop nor double any of it."""
    settings = new_settings(server_dir / "system")
    async with running(Runner(settings)), System.at(settings) as running_system:
        yield running_system


@pytest.fixture
def people(system: System) -> People:
    """New users of that system."""
    return People(system)


@contextlib.asynccontextmanager
async def running_parts(folder: Path, **variables: str) -> AsyncIterator[Parts]:
    """A system whose services have these variables in their environment."""
    settings = new_settings(folder)
    settings.data_dir.mkdir()
    place, services = DataDir(settings.data_dir), tandem(settings)
    postgres, nats = Postgres(place.postgres), bus_of(settings)
    async with running_together([postgres, nats]):
        await migrated(postgres)
        processes = children(services, settings, postgres, nats, **variables)
        async with running_together(processes), System.at(settings) as whole:
            yield Parts(whole, postgres, nats)


@pytest.fixture(scope="session")
async def parts(server_dir: Path) -> AsyncIterator[Parts]:
    """Another system for the tests that do. Each of them leaves it whole."""
    async with running_parts(server_dir / "parts") as whole:
        yield whole
