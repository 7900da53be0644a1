"""Owns a durable consumer: batches from the stream to a handler, acknowledged after the handler has committed.

A message that cannot be handled is tried again with growing delays and then kept in the dead letter stream; it stops
nothing behind it. While the database is away nothing is counted against any message.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import APIError
from opentelemetry.trace import SpanKind

from chassis import lag, tracing
from chassis.batches import arrived, by_trace, give_back, names, status
from chassis.database import is_unavailable
from chassis.failpoints import Point, reached
from chassis.streams import Stream

log = structlog.get_logger(__name__)

BATCH = 100
"""Messages handled in one transaction, and asked for at once."""

PULL_EXPIRES = 20.0
"""Seconds that one request for messages stands at the server."""

HEARTBEAT = 1.0
"""Seconds between signs of life while such a request stands and there is nothing to deliver."""

SILENCE = 3 * HEARTBEAT
"""Seconds without one after which the request counts as lost."""

REASON_MAX = 500
"""Characters of an error kept with a dead letter."""

ACK_WAIT = 5.0
"""Seconds after which a killed process's messages are given to another one. A living one holds on to its own."""

DELAYS = (1.0, 5.0, 30.0, 120.0)
"""Seconds before each further attempt; after the last one the message goes to the dead letters."""

RETRY = 0.5
"""Seconds between attempts while NATS or the database is away."""

Handle = Callable[[Sequence[Msg]], Awaitable[None]]
"""Does the work of all given messages in one transaction, so that doing it again changes nothing."""


class Undeliverable(Exception):
    """Raised by a handler for a message that no further attempt will make processable."""


class Consumer:
    """Feeds the messages of one durable pull consumer to `handle`."""

    name = "consumer"

    def __init__(
        self,
        stream: Stream,
        *,
        durable: str,
        filter_subject: str,
        dead_letters: Stream,
        dead_letter_subject: str,
        handle: Handle,
        ready: Callable[[], Awaitable[None]],
        delays: Sequence[float] = DELAYS,
        ack_wait: float = ACK_WAIT,
    ) -> None:
        self._bus = stream.bus
        self._stream = stream
        self._config = ConsumerConfig(
            durable_name=durable,
            filter_subject=filter_subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ack_wait,
            max_deliver=-1,
            max_ack_pending=10 * BATCH,
        )
        self._dead_letters = dead_letters
        self._dead_letter_subject = dead_letter_subject
        self._handle = handle
        self._ready = ready
        self._delays = delays
        self._hold_every = ack_wait / 3

    async def run(self) -> None:
        """Consume until cancelled."""
        await self._ready()
        while True:
            await self._stream.wait()
            await self._dead_letters.wait()
            try:
                await self._bus.jetstream.add_consumer(self._stream.name, self._config)
                await self._consume()
            except (nats.errors.Error, APIError, TimeoutError) as error:
                log.warning("the consumer waits for NATS", reason=repr(error))
            await asyncio.sleep(RETRY)

    async def _consume(self) -> None:
        """Pull and handle batches until the server says that there is no such consumer any more."""
        inbox = self._bus.client.new_inbox()
        subscription = await self._bus.client.subscribe(inbox)
        asked_for = 0
        batch: list[Msg] = []
        try:
            while True:
                if asked_for <= 0:
                    await self._ask(inbox)
                    asked_for = BATCH
                batch = []
                messages = await arrived(subscription, silence=SILENCE)
                if not messages:  # not even a heartbeat: the request was lost, with its connection or its server
                    asked_for = 0
                for message in messages:
                    match status(message):
                        case None:
                            batch.append(message)
                            asked_for -= 1
                        case "100":  # the request still stands
                            pass
                        case "404" | "503":
                            return
                        case _:  # it ended: expired, or the consumer's leader has moved
                            asked_for = 0
                for part, waiting in by_trace(batch):
                    await self._process_traced(part, waiting)
        finally:
            if self._bus.connected:
                await give_back(subscription, batch)

    async def _ask(self, inbox: str) -> None:
        request = {"batch": BATCH, "expires": int(PULL_EXPIRES * 1e9), "idle_heartbeat": int(HEARTBEAT * 1e9)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream.name}.{self._config.durable_name}"
        await self._bus.client.publish(subject, json.dumps(request).encode(), reply=inbox)

    async def _process_traced(self, batch: Sequence[Msg], waiting: Sequence[Msg]) -> None:
        headers = (batch[0].headers or {}) if len(batch) == 1 else {}
        name, parent = f"process {self._config.durable_name}", headers.get(tracing.TRACEPARENT)
        span = tracing.begin(name, SpanKind.CONSUMER, parent=parent, attributes=tracing.of_event(headers))
        with tracing.current(span):
            await self._process(batch, waiting)

    async def _process(self, batch: Sequence[Msg], waiting: Sequence[Msg] = ()) -> None:
        """Handle a batch in one go; if that fails, find the message that it fails for. `waiting` come after it."""
        try:
            await self._handle_when_possible(batch, waiting)
        except Exception as error:  # noqa: BLE001 - one message must not stop what is behind it
            if len(batch) == 1:
                await self._failed(batch[0], error)
            else:
                for number, message in enumerate(batch, start=1):
                    await self._process([message], waiting=(*batch[number:], *waiting))
        else:
            reached(Point.CONSUMED)
            for message in batch:
                await message.ack()
            lag.became("done", len(batch))

    async def _handle_when_possible(self, batch: Sequence[Msg], waiting: Sequence[Msg]) -> None:
        """Handle a batch, waiting while the database is away: that is no fault of the messages."""
        holding = asyncio.create_task(self._hold((*batch, *waiting)), name="hold messages")
        try:
            while True:
                try:
                    return await self._handle(batch)
                except Exception as error:
                    if not is_unavailable(error):
                        raise
                    log.warning("the database is away; the consumer waits", error=str(error))
                await asyncio.sleep(RETRY)
        finally:
            holding.cancel()

    async def _hold(self, messages: Sequence[Msg]) -> None:
        """Keep messages from being given to another process, until cancelled."""
        while True:
            await asyncio.sleep(self._hold_every)
            with contextlib.suppress(nats.errors.Error):  # given to another one, they are handled twice at worst
                for message in messages:
                    await message.in_progress()

    async def _failed(self, message: Msg, error: Exception) -> None:
        attempt = message.metadata.num_delivered
        reason = f"{type(error).__name__}: {error}"
        tracing.fail_current(error)
        if not isinstance(error, Undeliverable) and attempt <= len(self._delays):
            log.warning("a message failed and will be tried again", **names(message), attempt=attempt, error=reason)
            await message.nak(delay=self._delays[attempt - 1])
            lag.became("retried")
            return
        sequence, stored_at = message.metadata.sequence.stream, message.metadata.timestamp.timestamp()
        log.error("a message goes to the dead letters", **names(message), attempt=attempt, error=reason)
        headers = {
            **{name: value for name, value in (message.headers or {}).items() if not name.startswith("Nats-")},
            # A stream that was made anew counts from 1 again.
            "Nats-Msg-Id": f"{self._config.durable_name}:{sequence}:{stored_at}",
            "Dead-Letter-Reason": quote(reason[:REASON_MAX], safe=" :/,'()", errors="backslashreplace"),
            "Dead-Letter-Subject": message.subject,
            "Dead-Letter-Sequence": str(sequence),
        }
        await self._bus.jetstream.publish(
            self._dead_letter_subject, message.data, stream=self._dead_letters.name, headers=headers
        )
        await message.ack()
        lag.became("dead")
