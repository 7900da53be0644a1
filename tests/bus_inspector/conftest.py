"""What the tests of the inspector share: a whole system of real processes, and the command run against it."""

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from bus_inspector.app import NAME
from devstack.bus_keys import BusKeys
from devstack.data_dir import DataDir
from devstack.nats import Nats
from devstack.ports import free_port
from devstack.postgres import Postgres
from devstack.processes import running, running_together
from devstack.services import environment, tandem
from tests.bus_inspector import forked
from tests.system.conftest import Parts, People, bus_of, children, migrated, new_settings
from tests.system.system import System

_numbers = itertools.count()

PATIENCE = 60.0
"""Seconds that a command may take; far more than it does."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its answer with `--json`."""
        return json.loads(self.out)

    @property
    def records(self) -> list[Any]:
        """Its answer, where it has a record a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    def said(self, *words: str) -> bool:
        """Whether one of its lines has all these words."""
        return any(all(word in line for word in words) for line in self.out.splitlines())


class Inspect(Protocol):
    """`await inspect("lag", "--json")` runs the command and gives what it printed; it must end with `code`."""

    async def __call__(self, *arguments: str, code: int = ..., env: Mapping[str, str] | None = ...) -> Ended: ...


def inspecting(told: Mapping[str, str]) -> Inspect:
    """Runs the command with these variables in its environment, and not those of whoever runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}

    async def inspect(*arguments: str, code: int = 0, env: Mapping[str, str] | None = None) -> Ended:
        all_env = {**inherited, **told, **(env or {})}
        ended = Ended(*await asyncio.to_thread(forked.run, arguments, all_env, within=PATIENCE))
        assert ended.code == code, f"{NAME} {arguments}: {ended.code}: {ended.out}{ended.err}"
        return ended

    return inspect


@pytest.fixture(scope="session")
async def parts(server_dir: Path) -> AsyncIterator[Parts]:
    """A whole system. A test that stops a part of it starts it again."""
    settings = new_settings(server_dir / "inspected")
    settings.data_dir.mkdir()
    services = tandem(settings)
    postgres, nats = Postgres(DataDir(settings.data_dir).postgres), bus_of(settings)
    async with running_together([postgres, nats]):
        await migrated(postgres)
        async with running_together(children(services, settings, postgres, nats)), System.at(settings) as whole:
            yield Parts(whole, postgres, nats)


@pytest.fixture
def system(parts: Parts) -> System:
    """How its users see it."""
    return parts.system


@pytest.fixture
def people(system: System) -> People:
    """New users of it."""
    return People(system)


@pytest.fixture(scope="session")
def told(parts: Parts) -> Mapping[str, str]:
    """The variables that its services have, and the key of one who looks."""
    secret = DataDir(parts.system.settings.data_dir).secret()
    common = environment(parts.system.settings, parts.postgres, parts.nats, secret)
    return {**common, **parts.nats.access("inspector")}


@pytest.fixture(scope="session")
def inspect(told: Mapping[str, str]) -> Inspect:
    """The command, set up to look at that system."""
    return inspecting(told)


@pytest.fixture(scope="session")
def operate(told: Mapping[str, str], parts: Parts) -> Inspect:
    """The command, with the key of one who may also repair."""
    return inspecting({**told, **parts.nats.access("operator")})


@pytest.fixture
async def nats(server_dir: Path) -> AsyncIterator[Nats]:
    """A NATS server with nothing in it, which wants to know who comes."""
    folder = server_dir / f"inspected-nats-{next(_numbers)}"
    async with running(Nats(folder, free_port(), keys=BusKeys(folder / "keys"))) as server:
        yield server
    shutil.rmtree(folder)
