"""Which services the runner starts."""

import importlib.util
from pathlib import Path

import pytest

from devstack.bus_keys import BusKeys
from devstack.nats import Nats
from devstack.services import Service, tandem
from devstack.settings import read


@pytest.fixture
def services() -> list[Service]:
    """The services of this system, on their usual ports."""
    return tandem(read({}))


def test_each_service_has_its_port(services: list[Service]) -> None:
    assert {service.name: service.port for service in services} == {"connection": 8002, "inbox": 8001, "push": 8003}


def test_every_service_is_a_module_that_can_be_run(services: list[Service]) -> None:
    for service in services:
        assert service.command[1] == "-m"
        assert importlib.util.find_spec(f"{service.command[2]}.__main__") is not None


def test_those_with_a_database_are_migrated(services: list[Service]) -> None:
    migrated = {service.name: service.migrate for service in services}
    assert migrated["push"] is None
    for name in ("connection", "inbox"):
        assert (migrated[name] or ())[-2:] == (f"{name}_service", "migrate")


def test_each_service_is_given_its_own_key_and_no_other(services: list[Service], tmp_path: Path) -> None:
    nats = Nats(tmp_path / "nats", 1, keys=BusKeys(tmp_path / "keys"))
    told = {service.name: service.access(nats)["NATS_NKEY_SEED_FILE"] for service in services}
    assert told == {name: str(tmp_path / "keys" / f"{name}.seed") for name in ("connection", "inbox", "push")}


async def test_a_service_that_nobody_hears_is_not_ready() -> None:
    assert not await Service("nobody", (), 1).ready()
