"""Owns taking events out of what NATS sends: in C where that was compiled, else message by message in Python.

This is most of what an event costs besides the kernel. nats-py's parser stays in charge of everything that is not a
usual event of ours; `native/arrivals.c` takes those that stand before it, as soon as they come in: nats-py's reading
task would have to be woken for them first.
"""

import asyncio
from collections.abc import Callable

import structlog
from nats.aio.client import Client
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

from push_gateway import metrics
from push_gateway.messages import Malformed, StoredEvent, live_event, read_object, stored_event
from push_gateway.native import take

log = structlog.get_logger(__name__)

TakeEvent = Callable[[StoredEvent], None]
"""Takes a live event."""

ReadEvent = Callable[[StoredEvent, bytes, int, int], None]
"""Takes an event that a consumer has read from the stream, its user, its number among all that the consumer has
delivered, and how many are behind it. What is no event comes as one without a frame."""

_ACKNOWLEDGED_BY = b"$JS.ACK."
"""How the reply subject of what a consumer delivers begins."""


class Arrivals(Parser):
    """nats-py's parser, which is asked only for what is left when our events have been taken.

    Overrides two methods of it and uses two attributes; `tests/push_gateway/test_arrivals.py` fails when an upgrade
    changes them. nats-py's statistics do not count what is taken in C.

    Attributes:
        takers: who takes the live events of a subscription, by its number.
        readers: who takes what a consumer delivers to a subscription, likewise.
    """

    def __init__(self, client: Client, failed: Callable[[Exception], None]) -> None:
        """`failed` is told what a taker raised: raised here it would silently end nats-py's reading task."""
        self.takers: dict[int, TakeEvent] = {}
        self.readers: dict[int, ReadEvent] = {}
        self._failed = failed
        self._reader: asyncio.StreamReader | None = None
        self._unread = 0  # bytes that wait for nats-py's reading task; what comes behind them has to wait too
        super().__init__(client)

    def reset(self) -> None:
        """Begin with another connection."""
        super().reset()
        self._reader, self._unread = None, 0

    def tap(self, reader: asyncio.StreamReader, transport: asyncio.BaseTransport) -> None:
        """See what comes in over a connection before its reader does."""
        protocol = transport.get_protocol()
        assert isinstance(protocol, asyncio.Protocol), "asyncio's streams have such a one"
        pass_on = protocol.data_received

        def data_received(data: bytes) -> None:
            left = self._taken_from(data) if self._reader is reader else data
            if left:
                pass_on(left)

        self._reader, self._unread = reader, len(reader._buffer)  # type: ignore[attr-defined] # noqa: SLF001
        protocol.data_received = data_received  # type: ignore[method-assign]
        transport.set_protocol(protocol)  # which looks its methods up once

    async def parse(self, data: bytes = b"") -> None:
        """Take all there is of `data`, and of what was left before."""
        self._unread = max(self._unread - len(data), 0)
        if self._may_take:
            self.buf.extend(data)
            if self._take_first():
                return
            data = b""
        await super().parse(data)

    def take(self, subscription: int, subject: bytes, reply: bytes, headers: bytes | None, body: bytes) -> bool:
        """Take a message that nats-py has parsed, if it is for one of `takers` or `readers`; whether it is."""
        taker, reader = self.takers.get(subscription), self.readers.get(subscription)
        try:
            if taker is not None:
                _take_live(taker, subject, headers, body)
            elif reader is not None and reply.startswith(_ACKNOWLEDGED_BY):
                _take_read(reader, subject, reply, headers, body)
            else:
                return False
        except Exception as error:  # noqa: BLE001 - see `failed`
            self._failed(error)
        return True

    @property
    def _may_take(self) -> bool:
        return take is not None and bool(self.takers or self.readers) and self.state == AWAITING_CONTROL_LINE

    def _taken_from(self, data: bytes) -> bytes:
        """Take what stands at the beginning of all that is here; what is left for nats-py."""
        if self._unread or not self._may_take:
            self._unread += len(data)
            return data
        self.buf.extend(data)
        if self._take_first():
            return b""
        left = bytes(self.buf)
        self.buf.clear()
        self._unread = len(left)
        return left

    def _take_first(self) -> bool:
        """Take what stands at the beginning of the buffer; whether that is all, but for a message's first part."""
        assert take is not None, "asked by `_may_take`"
        taken, waits, error = take(self.buf, self.takers, self.readers, StoredEvent, read_object)
        del self.buf[:taken]
        if error is not None:
            self._failed(error)
        return waits or not self.buf


def _take_live(taker: TakeEvent, subject: bytes, headers: bytes | None, body: bytes) -> None:
    try:
        event = live_event(subject, headers, body)
    except Malformed as error:
        metrics.malformed.inc()
        log.warning("a live message is not an event", subject=subject.decode(), reason=str(error))
    else:
        taker(event)


def _take_read(reader: ReadEvent, subject: bytes, reply: bytes, headers: bytes | None, body: bytes) -> None:
    seq, number, pending = _place(reply)
    try:
        event = stored_event(subject, seq, headers or b"", body)
    except Malformed as error:
        metrics.malformed.inc()
        log.warning("a stored message is not an event", seq=seq, reason=str(error))
        event = StoredEvent(b"", seq, None, b"")
    reader(event, subject.split(b".")[1], number, pending)


def _place(reply: bytes) -> tuple[int, int, int]:
    """Where a message stands in the stream, its number in the consumer, and how many are behind it (NATS ADR-15)."""
    tokens = reply.split(b".")
    first = 5 if len(tokens) == 9 else 7
    return int(tokens[first]), int(tokens[first + 1]), int(tokens[first + 3])
