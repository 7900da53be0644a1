"""The real servers that every test may use: one PostgreSQL for all, a NATS server and fresh databases for each."""

import asyncio
import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import structlog
from hypothesis import HealthCheck, settings
from nats.aio.client import Client

import connection_service.app
import inbox_service.app
from chassis import migrate
from chassis.bus import Bus
from devstack.bus_keys import Account
from devstack.nats import Nats
from devstack.ports import free_port, keep_to_share
from devstack.postgres import Postgres
from devstack.processes import running

_numbers = itertools.count()

MEMORY = Path("/dev/shm")  # noqa: S108 - a place for folders of our own, like the one for temporary files
ROOM = 4 * 1024**3
"""Bytes that must be free there; a test run needs a quarter of it."""

# What servers write in tests goes into memory if there is room: a disk that others use can pause for seconds.
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# How long an example or its invention takes says how busy the machine is, and nothing about what is tested.
settings.register_profile("tandem", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tandem")

if "PYTEST_XDIST_WORKER" in os.environ:  # a port that one test leaves free must not be taken by another's server
    keep_to_share(int(os.environ["PYTEST_XDIST_WORKER"][2:]), of=int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))


WHOLE = tuple(Path(__file__).parent / name for name in ("bus_inspector", "system"))
"""Where the tests of a whole system are."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put those last for which a whole system is started: it takes a twentieth of a core until the end. And of either
    begin with the files that take longest, so that no process is left with one of them."""

    def late(item: pytest.Item) -> tuple[bool, bool]:
        return any(map(item.path.is_relative_to, WHOLE)), item.get_closest_marker("long") is None

    items.sort(key=late)


@pytest.fixture(autouse=True)
def unconfigured_logs() -> Iterator[None]:
    """A command that a test runs in this process configures the logs; the next test finds them as they were."""
    yield
    structlog.reset_defaults()


@contextlib.asynccontextmanager
async def running_bus(nats: Nats, client: Client | None = None, *, account: Account = "admin") -> AsyncIterator[Bus]:
    """A connection to `nats` while the block runs, of one who may do everything unless told otherwise."""
    bus = Bus((nats.url,), name="test", nkey_seed_file=nats.seed_file(account), client=client)
    task = asyncio.create_task(bus.run())
    try:
        async with asyncio.timeout(10):
            await bus.wait_until_connected()
        yield bus
    finally:
        task.cancel()
        await asyncio.wait([task])


async def settled(client: Client) -> None:
    """Wait until the server has done all that `client` has told it, and whatever it sent until then has arrived.

    nats-py's `flush` may not tell: its PING is written before commands that are still waiting to be. A request is not.
    """
    await client.request("$JS.API.INFO")


@pytest.fixture(scope="session")
def server_dir() -> Iterator[Path]:
    """A directory that the servers' accounts may pass through; pytest's own is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
async def postgres(server_dir: Path) -> AsyncIterator[Postgres]:
    """The PostgreSQL server. A test that stops or kills one starts its own.

    It does not wait for the disk: copying and dropping a database for each test takes a fifth of the time so.
    """
    async with running(Postgres(server_dir / "postgres")) as server:
        admin = await asyncpg.connect(host=str(server.socket_dir), user="postgres", database="postgres")
        await admin.execute("ALTER SYSTEM SET fsync = off")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()
        yield server


@pytest.fixture
async def nats(server_dir: Path) -> AsyncIterator[Nats]:
    """A NATS server with nothing in it."""
    folder = server_dir / f"nats-{next(_numbers)}"
    async with running(Nats(folder, free_port())) as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture
async def bus(nats: Nats) -> AsyncIterator[Bus]:
    """A connection to it."""
    async with running_bus(nats) as connected:
        yield connected


@pytest.fixture(scope="session")
async def templates(postgres: Postgres) -> dict[str, str]:
    """A migrated database of each service, to be copied: that takes a tenth of the time of migrating."""
    places = {"connection": connection_service.app.MIGRATIONS, "inbox": inbox_service.app.MIGRATIONS}
    for name, migrations in places.items():
        await postgres.create_databases(f"{name}_template")
        await migrate.upgrade(postgres.url(f"{name}_template"), migrations)
    return {name: f"{name}_template" for name in places}


async def _copy(postgres: Postgres, template: str) -> AsyncIterator[str]:
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(host=str(postgres.socket_dir), user="postgres", database="postgres")
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield postgres.url(name)
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


@pytest.fixture
async def connection_url(postgres: Postgres, templates: dict[str, str]) -> AsyncIterator[str]:
    """The URL of an empty, migrated database of connection_service."""
    async for url in _copy(postgres, templates["connection"]):
        yield url


@pytest.fixture
async def inbox_url(postgres: Postgres, templates: dict[str, str]) -> AsyncIterator[str]:
    """The URL of an empty, migrated database of inbox_service."""
    async for url in _copy(postgres, templates["inbox"]):
        yield url
