"""Owns streams: making one, bringing it up to date, and asking its leader about it."""

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import nats.errors
import structlog
from nats.js.api import RePublish, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError

from chassis.bus import Bus
from chassis.errors import BusUnavailable

log = structlog.get_logger(__name__)

RETRY = 0.5
"""Seconds between attempts at something that needs JetStream while it is away."""

STREAM_NAME_IN_USE = 10058

EPOCH = "epoch"
"""The key in a stream's metadata that names its history: a sequence means nothing in another epoch."""


def epoch_of(info: StreamInfo) -> str:
    """The epoch that a stream is in; empty if somebody else has made it."""
    return (info.config.metadata or {}).get(EPOCH, "")


class Shape(Protocol):
    """What a stream is like, wherever it runs."""

    @property
    def name(self) -> str: ...
    @property
    def subjects(self) -> tuple[str, ...]: ...
    @property
    def max_age(self) -> dt.timedelta: ...
    @property
    def duplicate_window(self) -> dt.timedelta: ...
    @property
    def republish(self) -> tuple[str, str] | None: ...
    @property
    def latest_only(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a message stands, and the id by which the stream knows a copy of it; empty if it has none."""

    seq: int
    id: str


class Stream:
    """One stream, as this process sees it."""

    def __init__(
        self, bus: Bus, shape: Shape, *, replicas: int, new_epoch: Callable[[], str] = lambda: uuid.uuid4().hex
    ) -> None:
        self.bus = bus
        self.name = shape.name
        self._shape = shape
        self._replicas = replicas
        self._new_epoch = new_epoch

    async def info(self) -> StreamInfo | None:
        """Its state and configuration, from its leader; None if there is no such stream.

        Raises:
            BusUnavailable: nobody answered in time.
        """
        if not self.bus.connected:
            raise BusUnavailable("not connected to NATS")
        try:
            return await self.bus.jetstream.stream_info(self.name)
        except NotFoundError:
            return None
        except (APIError, nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"no information about the stream {self.name}: {error!r}") from error

    async def ensure(self) -> StreamInfo:
        """Make it, or bring its settings up to date; its epoch and messages are kept.

        Raises:
            BusUnavailable: nobody answered in time, or the server refused.
        """
        info = await self.info()
        try:
            if info is None:
                return await self._make()
            if stale := self._differences(info.config):
                log.info("bringing the stream up to date", stream=self.name, settings=stale)
                return await self.bus.jetstream.update_stream(self._config(info.config.metadata or {}))
        except (APIError, nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"the stream {self.name} cannot be made: {error!r}") from error
        return info

    async def wait(self) -> StreamInfo:
        """`ensure`, tried for as long as it takes."""
        await self.bus.wait_until_connected()
        while True:
            try:
                return await self.ensure()
            except BusUnavailable as error:
                log.warning("waiting for JetStream", reason=str(error))
                await asyncio.sleep(RETRY)

    async def begin_epoch(self) -> str:
        """Write a new epoch into its metadata: what was known of its sequences is worth nothing from now on.

        Raises:
            BusUnavailable: nobody answered in time, or the server refused.
        """
        await self.ensure()
        epoch = self._new_epoch()
        try:
            await self.bus.jetstream.update_stream(self._config({EPOCH: epoch}))
        except (APIError, nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"the stream {self.name} cannot be given a new epoch: {error!r}") from error
        return epoch

    async def message(self, seq: int) -> Stored | None:
        """The message at a sequence, as its leader has it; None if there is none.

        Raises:
            BusUnavailable: nobody answered in time.
        """
        return await self._get(seq=seq)

    async def next_message(self, subjects: str, *, after: int) -> Stored | None:
        """The first message of a subject or filter behind a sequence, as its leader has it; None if there is none.

        Raises:
            BusUnavailable: nobody answered in time.
        """
        return await self._get(seq=after + 1, subject=subjects, next=True)

    async def _get(self, **which: Any) -> Stored | None:
        try:
            message = await self.bus.jetstream.get_msg(self.name, **which)
        except NotFoundError:
            return None
        except (APIError, nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"the stream {self.name} cannot be read: {error!r}") from error
        assert message.seq is not None, "the server says where it stands"
        return Stored(message.seq, (message.headers or {}).get("Nats-Msg-Id", ""))

    async def is_trimmed(self, seq: int) -> bool:
        """Whether a sequence is before its first message, as after the time of keeping it or a purge.

        Raises:
            BusUnavailable: nobody answered in time.
        """
        info = await self.info()
        return info is not None and info.state.first_seq > seq

    async def _make(self) -> StreamInfo:
        epoch = self._new_epoch()
        try:
            made = await self.bus.jetstream.add_stream(self._config({EPOCH: epoch}))
        except APIError as error:
            if error.err_code != STREAM_NAME_IN_USE:
                raise
            return await self.ensure()  # another process was faster, with an epoch of its own
        log.info("made the stream", stream=self.name, epoch=epoch)
        return made

    def _config(self, metadata: dict[str, str]) -> StreamConfig:
        shape = self._shape
        return StreamConfig(
            name=shape.name,
            subjects=list(shape.subjects),
            storage=StorageType.FILE,
            num_replicas=self._replicas,
            max_age=shape.max_age.total_seconds(),
            duplicate_window=shape.duplicate_window.total_seconds(),
            allow_direct=True,
            allow_atomic=True,
            max_msgs_per_subject=1 if shape.latest_only else -1,
            republish=RePublish(*shape.republish) if shape.republish is not None else None,
            metadata={key: value for key, value in metadata.items() if not key.startswith("_nats.")},
        )

    def _differences(self, current: StreamConfig) -> list[str]:
        """The settings that the stream does not have yet."""
        wanted, found = self._config({}).as_dict(), current.as_dict()
        return [key for key in wanted if key != "metadata" and _plain(found.get(key)) != _plain(wanted[key])]


def _plain(setting: Any) -> Any:
    return setting.as_dict() if isinstance(setting, RePublish) else setting
