"""Owns the faults: how each is injected into a running system, and how it ends."""

import asyncio
import json
import random
import shutil
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import nats
import psutil
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.faults.crowd import Crowd
from bench.faults.device import Device
from bench.faults.stack import COPIES, SERVICES, Stack
from bench.faults.writer import Writer
from contracts.frames import BEARER_PREFIX, SUBPROTOCOL
from contracts.subjects import EVENTS_STREAM
from devstack.processes import Child
from devstack.waiting import until

FROZEN: Final = {"connection": 5.0, "inbox": 5.0, "push": 5.0, "nats": 5.0, "postgres": 12.0}
"""Seconds. A relay is replaced after 3 s of silence, a client gives a gateway up after 4 s, a publish waits 2 s and a
statement 10 s."""

TCP_REPAIR: Final = 19
"""tcp(7) does not tell: a socket in this mode is closed without a word to its peer. From linux/tcp.h."""

LARGE: Final = 32_000
"""Bytes of a large item's data."""

LARGE_ITEMS: Final = 250
"""More than the gateway keeps for a socket (1 MiB) and the kernel on both its sides (4 MiB) take together."""


@dataclass
class Scene:
    """A system under load, in which something is about to break."""

    stack: Stack
    crowd: Crowd
    devices: list[Device]
    writer: Writer
    chance: random.Random

    async def pause(self, shortest: float, longest: float) -> None:
        """Let the load go on for a random time."""
        await asyncio.sleep(self.chance.uniform(shortest, longest))


@dataclass(frozen=True)
class Row:
    """One row of the matrix.

    Attributes:
        inject: breaks something and mends it again.
        refusal: why it cannot be done on this machine; None if it can.
        devices: how many it needs.
        rounds: how often it is done, unless somebody asks for another number.
    """

    name: str
    inject: Callable[[Scene], Awaitable[None]]
    refusal: Callable[[], str | None] = lambda: None
    devices: int = 60
    rounds: int = 3


class NotAsIntended(Exception):
    """A fault did not have the effect on the system that it must have."""


def _kill(victim: str) -> Callable[[Scene], Awaitable[None]]:
    async def inject(scene: Scene) -> None:
        child = _victim(scene, victim)
        await child.kill()
        await scene.pause(0.2, 2.0)
        await child.start()

    return inject


def _freeze(victim: str) -> Callable[[Scene], Awaitable[None]]:
    async def inject(scene: Scene) -> None:
        child = _victim(scene, victim)
        child.freeze()
        try:
            await asyncio.sleep(FROZEN[victim])
        finally:
            child.thaw()

    return inject


def _victim(scene: Scene, name: str) -> Child:
    """A server, or of a service the copy whose relay is active, every other time perhaps the other one."""
    if name == "postgres":
        return scene.stack.postgres
    if name == "nats":
        return scene.stack.nats
    number = scene.chance.choice([scene.stack.active.get(name, 0), scene.chance.randrange(COPIES)])
    scene.stack.mark(f"the victim is {name}-{number}; active is {scene.stack.active.get(name)}")
    return scene.stack.copies[name][number]


async def _restart_all(scene: Scene) -> None:
    """One process after another, so that at some time there are two relays that believe to be next."""
    for number in range(COPIES):
        for service in SERVICES:
            await scene.stack.copies[service][number].restart()


async def _delete_stream(scene: Scene) -> None:
    client = await nats.connect(scene.stack.nats.url, connect_timeout=5)
    try:
        await client.jetstream().delete_stream(EVENTS_STREAM)
    finally:
        await client.close()


async def _lose_live_copies(scene: Scene) -> None:
    """What is stored meanwhile is not sent on, as when a route or a leader is lost, and nobody is disconnected."""
    client = await nats.connect(scene.stack.nats.url, connect_timeout=5)
    try:
        jetstream = client.jetstream()
        config = (await jetstream.stream_info(EVENTS_STREAM)).config
        await jetstream.update_stream(config.evolve(republish=None))
        try:
            await scene.pause(2.0, 4.0)
        finally:
            await jetstream.update_stream(config)
    finally:
        await client.close()


async def _lose_live_copies_and_cut(scene: Scene) -> None:
    """Between the loss and its repair later events of the other source arrive, and then the sockets are cut."""
    await _lose_live_copies(scene)
    await scene.pause(1.0, 2.0)
    for device in scene.devices:
        device.cut()


async def _restore_store(scene: Scene) -> None:
    """NATS's disk becomes what it was some seconds ago."""
    server = scene.stack.nats
    copy = server.data_dir.with_name("nats-copy")
    await server.stop()
    shutil.copytree(server.data_dir, copy)
    await server.start()
    await scene.pause(2.0, 5.0)
    await server.stop()
    shutil.rmtree(server.data_dir)
    copy.rename(server.data_dir)
    await server.start()


async def _commit_late(scene: Scene) -> None:
    """Rows get their ids at once and become visible long after those with higher ids."""
    connection = await scene.stack.connect("inbox")
    try:
        async with connection.transaction():
            rows = await connection.fetch(
                "INSERT INTO inbox_items (recipient_id, kind, title)"
                " SELECT unnest($1::text[]), 'notice', 'committed late' RETURNING id",
                scene.crowd.users,
            )
            await scene.pause(2.0, 5.0)
        scene.writer.acked |= {(str(row["id"]), "insert") for row in rows}
    finally:
        await connection.close()


async def _never_read(scene: Scene) -> None:
    """Somebody's window takes nothing while large items arrive; it is cut off, and the windows beside it are not."""
    device = scene.chance.choice(scene.devices)
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    number = scene.chance.randrange(COPIES)
    port = scene.stack.ports["push"][number]
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
    protocols = [Subprotocol(SUBPROTOCOL), Subprotocol(f"{BEARER_PREFIX}{scene.stack.token(device.user)}")]
    # Taking one frame at most, the client's own library stops reading from the socket.
    silent = await connect(
        scene.stack.push_url(number), sock=plain, subprotocols=protocols, compression=None, proxy=None, max_queue=1,
        ping_interval=None,
    )  # fmt: skip
    own_port = plain.getsockname()[1]
    gateway = psutil.Process(scene.stack.copies["push"][number].pid)

    def cut_off() -> bool:
        sockets = gateway.net_connections("tcp")
        held = (each for each in sockets if each.status == psutil.CONN_ESTABLISHED)
        return own_port not in {each.raddr.port for each in held}

    try:
        await silent.recv()
        if cut_off():
            raise NotAsIntended("the gateway is not seen to hold the socket that it has just greeted")
        connection = await scene.stack.connect("inbox")
        try:
            rows = await connection.fetch(
                "INSERT INTO inbox_items (recipient_id, kind, title, data)"
                " SELECT $1, 'notice', 'large', $2::jsonb FROM generate_series(1, $3) RETURNING id",
                device.user,
                json.dumps({"text": "x" * LARGE}),
                LARGE_ITEMS,
            )
        finally:
            await connection.close()
        scene.writer.acked |= {(str(row["id"]), "insert") for row in rows}

        if not await until(cut_off, within=60, every=0.2):
            raise NotAsIntended("the gateway still holds the socket of a client that never reads")
    finally:
        silent.transport.abort()


async def _vanish(scene: Scene) -> None:
    """The peers of some sockets are gone, and nobody has told the gateway."""
    for device in scene.chance.sample(scene.devices, 10):
        if (handle := device.handle) is not None:
            handle.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            device.cut()


def _cannot_vanish() -> str | None:
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        except OSError as error:
            return f"TCP_REPAIR: {error.strerror} (needs Linux and CAP_NET_ADMIN)"
    return None


async def _cut_all(scene: Scene) -> None:
    for device in scene.devices:
        device.cut()
    await scene.pause(1.0, 3.0)


ROWS: Final = (
    Row("kill-connection", _kill("connection")),
    Row("kill-inbox", _kill("inbox")),
    Row("kill-gateway", _kill("push")),
    Row("kill-nats", _kill("nats")),
    Row("kill-postgres", _kill("postgres")),
    Row("freeze-connection", _freeze("connection")),
    Row("freeze-inbox", _freeze("inbox")),
    Row("freeze-gateway", _freeze("push")),
    Row("freeze-nats", _freeze("nats")),
    Row("freeze-postgres", _freeze("postgres"), rounds=2),
    Row("restart-all-copies", _restart_all, rounds=2),
    Row("late-commit", _commit_late),
    Row("never-reads", _never_read, rounds=2),
    Row("vanishes", _vanish, refusal=_cannot_vanish),
    Row("200-sockets-cut", _cut_all, devices=200),
    Row("live-copies-lost", _lose_live_copies),
    Row("live-copies-lost-then-cut", _lose_live_copies_and_cut, rounds=2),
    Row("stream-deleted", _delete_stream),
    Row("store-restored", _restore_store),
)
