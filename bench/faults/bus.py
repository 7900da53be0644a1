"""Owns the faults of the bus: what it has stored, what it sends on, and who is connected to it."""

import shutil
from typing import Final

from bench.faults import disk
from bench.faults.kinds import SMALL_DISK
from bench.faults.scene import NotAsIntended, Row, Scene
from contracts.subjects import EVENTS_STREAM
from devstack.waiting import until

NOTICED: Final = 15.0
"""Seconds within which a gateway must have left a connection on which nothing comes any more: what repair may take."""


async def _delete_stream(scene: Scene) -> None:
    client = await scene.stack.bus()
    try:
        await client.jetstream().delete_stream(EVENTS_STREAM)
    finally:
        await client.close()


async def _lose_live_copies(scene: Scene) -> None:
    """What is stored meanwhile is not sent on, as when a route or a leader is lost, and nobody is disconnected."""
    client = await scene.stack.bus()
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


async def _fill_disk(scene: Scene) -> None:
    """NATS's disk is full. From its first failed write on, the stream takes no message until its server is restarted,
    also when there is space again: an operator must see to both, or a supervisor that asks the server's /healthz."""
    server = scene.stack.nats
    with disk.full(server.data_dir):
        await scene.pause(2.0, 4.0)
        stored, acked = await _stored(scene), len(scene.writer.acked)
        await scene.pause(2.0, 4.0)
        if await _stored(scene) > stored:
            raise NotAsIntended("the stream goes on taking messages while its disk is full")
        if len(scene.writer.acked) == acked:
            raise NotAsIntended("nobody accepts a write while NATS's disk is full")
    await server.restart()


async def _stored(scene: Scene) -> int:
    """The stream's last sequence."""
    stream = await scene.stack.stream()
    assert stream is not None, "the server goes on answering"
    seq: int = stream["state"]["last_seq"]
    return seq


async def _cut_gateway(scene: Scene) -> None:
    with scene.chance.choice(scene.stack.wires).severed():
        await scene.pause(0.0, 3.0)


async def _silence_gateway(scene: Scene) -> None:
    """Nothing goes through a gateway's connections in either direction, and neither side is told. Nobody mends them."""
    wire = scene.chance.choice(scene.stack.wires)
    before = wire.audible
    wire.silence()
    scene.over()
    if not await until(lambda: wire.audible >= before, within=NOTICED):
        raise NotAsIntended(f"the gateway holds on to a silent connection for more than {NOTICED:g} s")


ROWS: Final = (
    Row("live-copies-lost", _lose_live_copies),
    Row("live-copies-lost-then-cut", _lose_live_copies_and_cut, rounds=2),
    Row("stream-deleted", _delete_stream, anew=True),
    Row("store-restored", _restore_store, anew=True),
    Row("gateway-nats-cut", _cut_gateway),
    Row("gateway-nats-half-open", _silence_gateway),
    Row("nats-disk-full", _fill_disk, refusal=disk.refusal, rounds=2, kind=SMALL_DISK),
)
