"""Streams on a real server."""

import dataclasses
import datetime as dt

from chassis.bus import Bus
from chassis.streams import EPOCH, Stream
from contracts.streams import EVENTS


async def test_a_stream_is_made_with_an_epoch_of_its_own(bus: Bus) -> None:
    """What is made is what the contract says."""
    info = await Stream(bus, EVENTS, replicas=1, new_epoch=lambda: "first").ensure()
    assert info.config.metadata is not None
    assert info.config.metadata[EPOCH] == "first"
    assert (info.config.subjects, info.config.max_age, info.config.allow_atomic) == (["events.*.*"], 7 * 86_400, True)


async def test_bringing_a_stream_up_to_date_keeps_its_epoch(bus: Bus) -> None:
    """Only a setting that differs is changed, and a second look changes nothing."""
    await Stream(bus, EVENTS, replicas=1, new_epoch=lambda: "first").ensure()
    newer = dataclasses.replace(EVENTS, max_age=dt.timedelta(days=3))
    stream = Stream(bus, newer, replicas=1, new_epoch=lambda: "second")
    info = await stream.ensure()
    assert info.config.max_age == 3 * 86_400
    assert (info.config.metadata or {})[EPOCH] == "first"
    assert not stream._differences(info.config)  # noqa: SLF001
