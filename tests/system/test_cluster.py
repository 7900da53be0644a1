"""The same services on a cluster of three nats-servers, of which one dies."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.subjects import EVENTS_STREAM
from devstack.data_dir import DataDir
from devstack.nats import Nats, cluster
from devstack.ports import free_port
from devstack.postgres import Postgres
from devstack.processes import Child, running_together
from devstack.services import environment, tandem
from tests.system.conftest import ROOT, People, new_settings
from tests.system.device import PATIENCE, Device, names
from tests.system.system import System

SERVERS = 3


@dataclass
class Clustered:
    """A system whose bus has three servers."""

    system: System
    servers: list[Nats]

    async def stream(self) -> dict[str, Any]:
        """Who stores the events, as the stream's leader says, when it has one."""
        async with asyncio.timeout(PATIENCE):
            while True:
                info = await self.servers[0].ask(f"$JS.API.STREAM.INFO.{EVENTS_STREAM}")
                if info is not None and "error" not in info:
                    found: dict[str, Any] = info["cluster"]
                    return found

    async def leader(self) -> Nats:
        """The server that leads the stream."""
        name = (await self.stream())["leader"]
        return next(server for server in self.servers if server.server_name == name)


@pytest.fixture
async def clustered(
    server_dir: Path, postgres: Postgres, connection_url: str, inbox_url: str
) -> AsyncIterator[Clustered]:
    """Such a system with nothing in it."""
    settings = new_settings(server_dir / "clustered")
    settings.data_dir.mkdir()
    place = DataDir(settings.data_dir)
    servers = cluster(place.nats, [(free_port(), free_port()) for _ in range(SERVERS)], keys=place.bus_keys)
    env = {
        **environment(settings, postgres, servers[0], place.secret()),
        "NATS_REPLICAS": str(SERVERS),
        "CONNECTION_DATABASE_URL": connection_url,
        "INBOX_DATABASE_URL": inbox_url,
        "PYTHONPATH": str(ROOT),
    }
    urls = {"NATS_URL": ",".join(server.url for server in servers)}
    services = [
        Child(
            each.name, each.command, env={**env, **each.access(servers[0]), **urls}, probe=each.ready, ready_within=60
        )
        for each in tandem(settings)
    ]
    async with running_together(servers), running_together(services), System.at(settings) as system:
        yield Clustered(system, servers)


async def has_been_answered(author: str, device: Device, *, answer: Any) -> None:
    """Wait until a device of either partner knows of an answer, and the partner's inbox has it too."""
    await device.until(lambda: answer in [frame["data"].get("answer") for frame in device.events], what=str(answer))
    if device.user != author:
        await device.event("inbox:created", sender_id=author)
        await device.event("inbox:unread", unread_count=1)


async def test_answers_reach_both_partners_before_and_after_the_streams_leader_has_died(clustered: Clustered) -> None:
    """Each once and in order, and nobody else; what was stored is in three places."""
    system, people = clustered.system, People(clustered.system)
    alice, bob = await people.partners()
    stream = await clustered.stream()
    copies = {stream["leader"], *(replica["name"] for replica in stream.get("replicas", []))}
    assert copies == {server.server_name for server in clustered.servers}
    async with contextlib.AsyncExitStack() as stack:
        hers, his, strangers = [
            await stack.enter_async_context(system.device(user)) for user in (alice, bob, people.someone("eve"))
        ]
        first = await system.answer(alice)
        for device in (hers, his):
            await has_been_answered(alice, device, answer=first)
        await (await clustered.leader()).kill()
        second = await system.answer(bob)
        for device in (hers, his):
            await has_been_answered(bob, device, answer=second)
        for device in (hers, his):
            answers = [frame["data"]["answer"] for frame in device.events if "answer" in frame["data"]]
            assert answers == [first, second]
            assert names(device.events).count("inbox:created") == 1
        assert strangers.events == []
