"""The one place where the mirror is put together."""

import asyncio
import time
from collections.abc import Callable, Collection

import structlog

from chassis.bus import Bus
from chassis.settings import BusSettings
from chassis.streams import Stream
from contracts import streams
from mirror.comparing import LATE, Side
from mirror.errors import SideRefused
from mirror.forwarding import Forwarder
from mirror.observing import Observer, Watched
from mirror.redis import Redis
from mirror.report import Document, report
from mirror.settings import Settings

log = structlog.get_logger(__name__)

NAME = "mirror"

GREETED_WITHIN = 30.0
"""Seconds until everybody who is watched has a socket on both sides."""

SETTLING = 5.0
"""Seconds that what was sent last has, to arrive: the gateway repairs within 15 what it lost, and then it is late."""


async def mirror(
    settings: Settings,
    nats: BusSettings,
    watched: Collection[Watched],
    stop: asyncio.Event,
    *,
    late: float = LATE,
    settling: float = SETTLING,
    started: Callable[[], None] = lambda: None,
) -> Document:
    """Forward until `stop` is set, and watch some users meanwhile; returns the report on them.

    Args:
        late: seconds from which on a message is late.
        settling: seconds that what was sent last has, to arrive.
        started: is called when everybody is listened to.

    Raises:
        MirrorError: it cannot go on. In a group of exceptions.
    """
    bus = Bus(nats.url, name=NAME)
    stream = Stream(bus, streams.EVENTS, replicas=nats.replicas)
    urls: dict[Side, str] = {"old": settings.old_url, "new": settings.new_url}
    observer = Observer(watched, urls, ignored=settings.ignored, clock=time.monotonic)
    forwarder = Forwarder(stream, settings.redis_url, prefix=settings.user_prefix, told=observer.told)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run(), name=type(each).__name__) for each in (bus, forwarder, observer)]
        await _greeted(observer)
        begin = await _now(settings)
        log.info("mirroring", watched=len(watched))
        started()
        await stop.wait()
        end = await _now(settings)
        await asyncio.sleep(settling)
        for task in tasks:
            task.cancel()
    return report(observer.records, period=(begin, end), late=late) | {
        "published": forwarder.published,
        "left_out": dict(forwarder.left_out),
    }


async def _greeted(observer: Observer) -> None:
    try:
        async with asyncio.timeout(GREETED_WITHIN):
            await observer.opened()
    except TimeoutError as error:
        raise SideRefused(f"not everybody has a socket on both sides within {GREETED_WITHIN:g} s") from error


async def _now(settings: Settings) -> int:
    async with Redis.at(settings.redis_url) as redis:
        return await redis.now()
