"""Owns the faults of a cluster of nats-servers: its leader, and the routes between its members."""

import shutil
import socket
import subprocess
from collections.abc import Sequence
from typing import Final

import psutil

from bench.faults.kinds import CLUSTER
from bench.faults.scene import NotAsIntended, Row, Scene
from devstack.nats import Nats

FROZEN: Final = (12.0, 14.0)
"""Seconds. The others elect a new leader after 4 to 9 s of silence, and a client gives a server up after 6 s."""

CUTS: Final = (10, 20)
"""How often routes are cut in a row. Servers make new ones within a second."""

ALL: Final = 0.1
"""How likely it is that all are cut at once."""

Route = tuple[int, int]
"""The two ports of a connection: of the side that made it, and of the other one."""


async def _leader(scene: Scene) -> Nats:
    """The server that leads the stream, as the cluster says.

    What has waited for an election is told two seconds later: before that, this would be a second fault on top of one.
    """
    await scene.pause(3.0, 6.0)
    stream = await scene.stack.stream() or {}
    name = stream.get("cluster", {}).get("leader")
    leader = next((server for server in scene.stack.servers if server.server_name == name), None)
    if leader is None:
        raise NotAsIntended(f"nobody leads the stream, and nothing is broken: {stream}")
    scene.stack.mark(f"the leader is {leader.name}")
    return leader


async def _kill_leader(scene: Scene) -> None:
    leader = await _leader(scene)
    await leader.kill()
    await scene.pause(0.2, 6.0)
    await leader.start()


async def _freeze_leader(scene: Scene) -> None:
    leader = await _leader(scene)
    leader.freeze()
    try:
        await scene.pause(*FROZEN)
    finally:
        leader.thaw()


async def _cut_routes(scene: Scene) -> None:
    """Servers lose sight of each other for moments, and what one has to tell the others' clients is lost with it.

    Now and then of all there is, mostly of one connection: what goes over the others goes on, so that the stream takes
    messages and those who store them do not know that somebody is not told.
    """
    for _ in range(scene.chance.randint(*CUTS)):
        if routes := _routes(scene.stack.servers):
            _destroy(routes if scene.chance.random() < ALL else [scene.chance.choice(routes)])
        await scene.pause(0.02, 0.5)


def _routes(servers: Sequence[Nats]) -> list[Route]:
    """The connections between servers, seen from the side that made them."""
    ports = {server.cluster.port for server in servers if server.cluster is not None}
    sockets = [each for server in servers for each in psutil.Process(server.pid).net_connections("tcp4")]
    connected = (each for each in sockets if each.status == psutil.CONN_ESTABLISHED)
    return sorted((each.laddr.port, each.raddr.port) for each in connected if each.raddr.port in ports)


def _destroy(connections: Sequence[Route]) -> None:
    """Have the kernel end connections."""
    for ours, theirs in connections:
        which = ["sport", "=", f":{ours}", "dport", "=", f":{theirs}"]
        subprocess.run(["ss", "-K", "-t", "-n", *which], check=True, capture_output=True)  # noqa: S603, S607


def _cannot_cut() -> str | None:
    if shutil.which("ss") is None:
        return "there is no ss (package iproute2)"
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as client, server.accept()[0]:
            _destroy([(client.getsockname()[1], address[1])])
            client.settimeout(1)
            try:
                client.recv(1)
            except ConnectionError:
                return None
            except TimeoutError:
                pass
    return "ss -K destroys nothing (needs root and a kernel with CONFIG_INET_DIAG_DESTROY)"


ROWS: Final = (
    Row("cluster-leader-killed", _kill_leader, kind=CLUSTER),
    Row("cluster-leader-frozen", _freeze_leader, rounds=2, kind=CLUSTER),
    Row("cluster-routes-cut", _cut_routes, refusal=_cannot_cut, kind=CLUSTER),
)
