"""Owns what is told of a durable consumer in numbers: how far it is behind, and what became of its messages."""

import asyncio
from typing import Final, Literal

import nats.errors
import structlog
from nats.js.errors import APIError
from prometheus_client import Counter, Gauge

from chassis.errors import BusUnavailable
from chassis.streams import Stream

log = structlog.get_logger(__name__)

pending: Final = Gauge("tandem_consumer_pending_messages", "Messages in the stream that nobody was given yet.")
unacknowledged: Final = Gauge(
    "tandem_consumer_unacknowledged_messages", "Messages that were given to somebody and are not done."
)
dead_letters: Final = Gauge("tandem_consumer_dead_letters", "Messages kept in the dead letter stream.")
messages: Final = Counter("tandem_consumer_messages", "Attempts at a message.", ["outcome"])

Outcome = Literal["done", "retried", "dead"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("done", "retried", "dead")
for _outcome in OUTCOMES:
    messages.labels(_outcome)  # there from the start, at 0: an increase from nothing is none to Prometheus

EVERY: Final = 5.0
"""Seconds between looks: two questions to JetStream."""


def became(outcome: Outcome, number: int = 1) -> None:
    """Count what became of messages."""
    messages.labels(outcome).inc(number)


class Lag:
    """Asks the stream from time to time. It is no part of the consumer, which may be what is stuck."""

    name = "lag"

    def __init__(self, stream: Stream, *, durable: str, dead_letters: Stream, every: float = EVERY) -> None:
        self._stream = stream
        self._durable = durable
        self._dead_letters = dead_letters
        self._every = every

    async def run(self) -> None:
        """Look until cancelled; what is not known just now stays as it was."""
        await self._stream.bus.wait_until_connected()
        while True:
            try:
                await self.look()
            except (nats.errors.Error, APIError, TimeoutError, BusUnavailable) as error:
                log.debug("the consumer's lag is not known", reason=repr(error))
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """One look."""
        info = await self._stream.bus.jetstream.consumer_info(self._stream.name, self._durable)
        pending.set(info.num_pending or 0)
        unacknowledged.set(info.num_ack_pending or 0)
        kept = await self._dead_letters.info()
        dead_letters.set(kept.state.messages if kept is not None else 0)
