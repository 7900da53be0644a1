"""Owns the faults of cursors: what a device comes back with says nothing any more, or never did."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bench.faults.device import Device
from bench.faults.run import Fetched
from bench.faults.scene import NotAsIntended, Row, Scene
from contracts.subjects import EVENTS_STREAM, INBOX_CONSUMER
from devstack.waiting import until

AWAY: Final = 12
"""Devices that are away together."""

BACK_WITHIN: Final = 30.0
"""Seconds within which a device must be back and have its state."""

Query = Mapping[str, str | int]

FORGERIES: Final[Sequence[Callable[[Query], Query]]] = (
    lambda cursor: {**cursor, "epoch": "another"},
    lambda cursor: {**cursor, "since": int(cursor["since"]) + 10**9},
    lambda cursor: {**cursor, "inbox": int(cursor["inbox"]) + 10**9},
    lambda cursor: {**cursor, "since": 10**30},
    lambda cursor: {**cursor, "since": "-1"},
    lambda cursor: {**cursor, "since": "a while ago"},
    lambda cursor: {**cursor, "connection": ""},
    lambda cursor: {"since": cursor["since"]},
    lambda cursor: {"epoch": cursor["epoch"]},
)
"""Of another history; beyond the end of this one; and what nobody can read."""


async def _pass_retention(scene: Scene) -> None:
    """While some are away the stream loses all that they have not seen yet, and a little more."""
    away = scene.chance.sample(scene.devices, AWAY)
    before = {device: len(device.records) for device in away}
    for device in away:
        device.leave()
    try:
        await scene.pause(1.0, 3.0)
        newest = max(int(device.cursor["since"]) for device in away)
        await _purge_beyond(scene, newest)
    finally:
        for device in away:
            device.come_back()
    await _all_began_anew(before)


async def _purge_beyond(scene: Scene, seq: int) -> None:
    """Trim the stream, but nothing that the inbox service has not processed: that would be lost to it for good."""
    client = await scene.stack.bus()
    try:
        jetstream = client.jetstream()

        async def processed() -> int:
            floor = (await jetstream.consumer_info(EVENTS_STREAM, INBOX_CONSUMER)).ack_floor
            return floor.stream_seq if floor is not None else 0

        async def beyond() -> bool:
            return await processed() > seq + 1

        if not await until(beyond, within=BACK_WITHIN, every=0.1):
            raise NotAsIntended(f"the inbox service has not come to {seq + 1} within {BACK_WITHIN:g} s")
        await jetstream.purge_stream(EVENTS_STREAM, seq=await processed())
        first = (await jetstream.stream_info(EVENTS_STREAM)).state.first_seq
        if first <= seq + 1:
            raise NotAsIntended(f"the stream still begins at {first}, and a device has seen {seq}")
    finally:
        await client.close()


async def _forge(scene: Scene) -> None:
    """Some come back with cursors that were never given to them."""
    devices = scene.chance.sample(scene.devices, 2 * len(FORGERIES))
    before = {device: len(device.records) for device in devices}
    for number, device in enumerate(devices):
        device.forged = FORGERIES[number % len(FORGERIES)](device.cursor)
        device.cut()
    await _all_began_anew(before)
    await scene.pause(1.0, 3.0)


async def _all_began_anew(before: Mapping[Device, int]) -> None:
    """Wait until the devices have fetched their state; `before` is how many records each had when it went away.

    Raises:
        NotAsIntended: one was not told to, or has not done so.
    """
    if not await until(lambda: all(map(fetched, before, before.values())), within=BACK_WITHIN, every=0.1):
        late = [device.name for device, count in before.items() if not fetched(device, count)]
        raise NotAsIntended(f"not told to fetch their state, or without it: {', '.join(late)}")


def fetched(device: Device, count: int) -> bool:
    """Whether it has, since it had so many records, been greeted with `resumed:false`, and then fetched its state."""
    resumed: bool | None = None
    for record in device.records[count:]:
        if isinstance(record, Fetched):
            if resumed is not None:
                return not resumed
        elif resumed is None and record.frame["event"] == "hello":
            resumed = record.frame["data"]["resumed"]
    return False


ROWS: Final = (
    Row("retention-passed", _pass_retention, anew=True),
    Row("wrong-epoch", _forge, anew=True),
)
