"""The embedded NATS."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import psutil
import pytest

from devstack.binaries import nats_server
from devstack.bus_keys import BusKeys
from devstack.errors import ChildEnded
from devstack.nats import Nats, cluster
from devstack.ports import free_port
from devstack.processes import running, running_together
from devstack.waiting import until
from tests.deploy.raw_bus import RawBus, Refused


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Nats]:
    """A running server."""
    async with running(Nats(tmp_path / "nats", free_port())) as running_server:
        yield running_server


async def test_it_is_the_wheels_server_and_listens_on_the_loopback_interface_only(server: Nats) -> None:
    assert nats_server().parent == Path(sys.executable).parent
    sockets = psutil.Process(server.pid).net_connections("inet")
    listening = [socket.laddr for socket in sockets if socket.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", server.port)]


async def test_every_message_is_on_disk_before_it_is_acknowledged(server: Nats) -> None:
    told = json.loads((server.data_dir / "nats.conf").read_text())
    assert told["jetstream"]["sync_interval"] == "always"


async def test_a_stream_survives_a_stop_and_a_kill(server: Nats) -> None:
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
    await client.jetstream().publish("kept", b"one")
    await client.close()
    await server.restart()
    client = await nats.connect(server.url)
    await client.jetstream().publish("kept", b"two")
    await client.close()
    await server.kill()
    await server.start()
    client = await nats.connect(server.url)
    assert (await client.jetstream().stream_info("KEPT")).state.messages == 2
    await client.close()


async def test_a_frozen_server_is_not_ready_and_a_thawed_one_is(server: Nats) -> None:
    server.freeze()
    assert not await server.ready()
    server.thaw()
    assert await until(server.ready, within=5)


async def test_it_passes_on_what_jetstream_says_of_a_stream_and_of_one_that_is_not_there(server: Nats) -> None:
    """The answers that a client of NATS gets, without one."""
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
    await client.jetstream().publish("kept", b"one")
    await client.close()
    there, missing = await server.ask("$JS.API.STREAM.INFO.KEPT"), await server.ask("$JS.API.STREAM.INFO.LOST")
    assert there is not None
    assert there["state"]["last_seq"] == 1
    assert missing is not None
    assert missing["error"]["code"] == 404


async def test_a_frozen_server_says_nothing(server: Nats) -> None:
    """And whoever asks is not kept waiting for it."""
    server.freeze()
    assert await server.ask("$JS.API.INFO") is None
    server.thaw()


async def test_another_server_on_its_port_is_not_taken_for_it(server: Nats, tmp_path: Path) -> None:
    late = Nats(tmp_path / "late", server.port)
    with pytest.raises(ChildEnded, match="nats ended with exit code 1"):
        await late.start()


async def test_a_path_with_odd_characters_does_no_harm(tmp_path: Path) -> None:
    async with running(Nats(tmp_path / 'a "quoted" $path # with { all }', free_port())) as server:
        assert (server.data_dir / "jetstream").is_dir()


async def test_three_servers_make_a_cluster(tmp_path: Path) -> None:
    """Which takes nobody for a server who does not know its password."""
    keys = BusKeys(tmp_path / "keys")
    members = cluster(tmp_path, [(free_port(), free_port()) for _ in range(3)], keys=keys)
    async with running_together(members):
        assert members[0].cluster is not None
        with pytest.raises(Refused, match="Authorization Violation"):
            async with RawBus.at(members[0].cluster.port):
                pass
        client = await nats.connect([member.url for member in members], nkeys_seed=str(keys.seed_file("admin")))
        info = await client.jetstream().add_stream(name="KEPT", subjects=["kept"], num_replicas=3)
        assert info.cluster is not None
        names = [info.cluster.leader, *(replica.name for replica in info.cluster.replicas or [])]
        assert sorted(name or "" for name in names) == [member.server_name for member in members]
        await client.close()
