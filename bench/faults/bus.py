"""Owns the faults of the bus: what it has stored, and what it sends on."""

import shutil
from typing import Final

import nats

from bench.faults.scene import Row, Scene
from contracts.subjects import EVENTS_STREAM


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


ROWS: Final = (
    Row("live-copies-lost", _lose_live_copies),
    Row("live-copies-lost-then-cut", _lose_live_copies_and_cut, rounds=2),
    Row("stream-deleted", _delete_stream),
    Row("store-restored", _restore_store),
)
