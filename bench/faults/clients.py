"""Owns the faults of clients: those that never read, that vanish, and that all come back at once."""

import asyncio
import contextlib
import ctypes
import json
import os
import socket
import struct
from typing import Final

import psutil
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.faults.scene import NotAsIntended, Row, Scene
from bench.faults.stack import COPIES
from contracts.frames import BEARER_PREFIX, PATH, SUBPROTOCOL, CloseCode
from devstack.waiting import until

REFUSALS: Final = "tandem_push_refusals_total"

SO_ATTACH_FILTER: Final = 26
"""What Python's `socket` does not name; from Linux's asm-generic/socket.h, see socket(7)."""

RETURN_NOTHING: Final = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A filter of one instruction, `BPF_RET | BPF_K` with 0: keep no byte of any packet. From linux/filter.h."""

VANISHING: Final = 10
"""Devices that vanish at once."""

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
    closed_before = await _closed_as_too_slow(scene, number)
    # Taking one frame at most, the client's own library stops reading from the socket.
    silent = await connect(
        scene.stack.push_url(number), sock=plain, subprotocols=protocols, compression=None, proxy=None, max_queue=1,
        ping_interval=None,
    )  # fmt: skip
    own_port = plain.getsockname()[1]

    def cut_off() -> bool:
        return own_port not in _peers(scene, number)

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
        if await _closed_as_too_slow(scene, number) == closed_before:
            raise NotAsIntended(f"it was not with {CloseCode.READING_TOO_SLOWLY} that the socket was closed")
    finally:
        silent.transport.abort()


async def _closed_as_too_slow(scene: Scene, number: int) -> float:
    """How many sockets a gateway says to have closed because their clients read too slowly. Of the close frame itself
    a client that never reads can know nothing: it stands behind all that waits for it."""
    url = scene.stack.push_url(number).replace("ws://", "http://").replace(PATH, "/metrics")
    metrics = (await scene.crowd.http.get(url)).raise_for_status().text
    wanted = {"code": str(int(CloseCode.READING_TOO_SLOWLY))}
    samples = (each for family in text_string_to_metric_families(metrics) for each in family.samples)
    return sum(each.value for each in samples if each.name == REFUSALS and each.labels == wanted)


async def _vanish(scene: Scene) -> None:
    """The peers of some sockets are gone: nobody acknowledges what the gateway sends them, and nobody hangs up."""
    with contextlib.ExitStack() as gone:
        ports: set[int] = set()
        for device in scene.chance.sample([device for device in scene.devices if device.handle], VANISHING):
            assert device.handle is not None, "it was chosen by that"
            # Held here, it is not closed when the device gives it up, which the gateway would be told.
            handle = gone.enter_context(socket.socket(fileno=os.dup(device.handle.fileno())))
            _make_deaf(handle)
            ports.add(handle.getsockname()[1])
            device.cut()
        await scene.pause(3.0, 6.0)
        held = {port for number in range(COPIES) for port in _peers(scene, number)}
        if not ports <= held:
            raise NotAsIntended(f"of {len(ports)} sockets that vanished the gateways hold only {len(ports & held)}")


def _make_deaf(handle: socket.socket) -> None:
    """Have the kernel drop whatever comes for a socket, before it is acknowledged."""
    program = ctypes.create_string_buffer(RETURN_NOTHING)
    handle.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))


def _peers(scene: Scene, number: int) -> set[int]:
    """The ports of those whom a gateway believes to be connected to it."""
    sockets = psutil.Process(scene.stack.copies["push"][number].pid).net_connections("tcp")
    return {each.raddr.port for each in sockets if each.status == psutil.CONN_ESTABLISHED}


def _cannot_vanish() -> str | None:
    with socket.socket() as probe:
        try:
            _make_deaf(probe)
        except OSError as error:
            return f"SO_ATTACH_FILTER: {error.strerror} (needs Linux)"
    return None


async def _cut_all(scene: Scene) -> None:
    """Every socket is cut at once, and every device comes back."""
    if not await until(lambda: all(device.handle is not None for device in scene.devices), within=60, every=0.1):
        raise NotAsIntended("not all devices were connected, so not all of them could be cut")
    before = {device: device.connections for device in scene.devices}
    for device in scene.devices:
        device.cut()
    scene.over()
    if not await until(lambda: all(device.connections > before[device] for device in before), within=60, every=0.1):
        away = [device.name for device in before if device.connections == before[device]]
        raise NotAsIntended(f"{len(away)} devices have not come back: {away[:5]}")


ROWS: Final = (
    Row("never-reads", _never_read, rounds=2),
    Row("vanishes", _vanish, refusal=_cannot_vanish),
    Row("2000-sockets-cut", _cut_all, devices=2000, pairs=100, rounds=2),
)
