"""Owns the faults of clients: those that never read, that vanish, and that all come back at once."""

import asyncio
import json
import socket
from typing import Final

import psutil
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.faults.scene import NotAsIntended, Row, Scene
from bench.faults.stack import COPIES
from contracts.frames import BEARER_PREFIX, SUBPROTOCOL
from devstack.waiting import until

TCP_REPAIR: Final = 19
"""tcp(7) does not tell: a socket in this mode is closed without a word to its peer. From linux/tcp.h."""

LARGE: Final = 32_000
"""Bytes of a large item's data."""

LARGE_ITEMS: Final = 250
"""More than the gateway keeps for a socket (1 MiB) and the kernel on both its sides (4 MiB) take together."""


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
    Row("never-reads", _never_read, rounds=2),
    Row("vanishes", _vanish, refusal=_cannot_vanish),
    Row("200-sockets-cut", _cut_all, devices=200),
)
