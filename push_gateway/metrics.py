"""Owns what the gateway counts, in Prometheus's conventions.

What happens at every delivery is added up in plain numbers and handed over once a second: a counter of
prometheus_client takes a lock, and a histogram two: on every delivery they would cost as much as a third of it.
"""

import asyncio
import datetime as dt
import time
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from chassis import tracing
from contracts.frames import CloseCode
from push_gateway.messages import StoredEvent, header

sockets = Gauge("tandem_push_sockets", "Sockets that are open and admitted.", multiprocess_mode="livesum")
sockets_max = Gauge("tandem_push_sockets_max", "Sockets that are admitted at most.", multiprocess_mode="livesum")
feeds = Gauge("tandem_push_feeds", "Users who have a socket here.", multiprocess_mode="livesum")
frames = Counter("tandem_push_frames", "Event frames written to sockets.")
sent = Counter("tandem_push_sent_bytes", "Bytes of event frames written to sockets.")
repairs = Counter("tandem_push_repairs", "Reads from the stream because a feed was or may have been incomplete.")
repaired = Counter("tandem_push_repaired_events", "Events that a feed lacked and such a read has found.")
resumes = Counter("tandem_push_resumes", "Sockets that asked to resume.", ["complete"])
passes = Counter("tandem_push_passes", "Passes over the stream for many clients that came back together.")
refusals = Counter("tandem_push_refusals", "Sockets closed by the gateway.", ["code"])
malformed = Counter("tandem_push_malformed_messages", "Live messages that were not events.")
latency = Histogram(
    "tandem_push_delivery_latency_seconds",
    "From ce-time, when the change was made, to the write to the user's sockets; of one event in 31.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60),
)

for _complete in ("true", "false"):
    resumes.labels(_complete)
for _code in CloseCode:
    refusals.labels(int(_code))  # there from the start, at 0: an increase from nothing is none to Prometheus

SAMPLE: Final = 31
"""The latency is measured of events whose sequence is a multiple of it, the same ones at every gateway: to measure one
takes some 2 us, a fifth of what a delivery does. A prime, so that of those that come together, such as an item and then
a count, it is not always the same one."""

HAND_OVER: Final = 1.0
"""Seconds between the times at which the numbers of deliveries are handed over."""


class Tally:
    """Adds up deliveries."""

    name = "tally"

    def __init__(self) -> None:
        self._frames = 0
        self._bytes = 0

    def delivered(self, event: StoredEvent, sockets: int) -> None:
        """An event was written to so many sockets."""
        self._frames += sockets
        self._bytes += sockets * len(event.frame)
        if event.seq % SAMPLE == 0 and sockets:
            _observe(event.headers)

    def replayed(self, *, frames: int, size: int) -> None:
        """A client was sent so many frames that it had missed, of `size` bytes together."""
        self._frames += frames
        self._bytes += size

    def hand_over(self) -> None:
        """Put what has come together where Prometheus finds it."""
        frames.inc(self._frames)
        sent.inc(self._bytes)
        self._frames = self._bytes = 0

    async def run(self) -> None:
        """Hand over once a second until cancelled, and then what is left."""
        try:
            while True:
                await asyncio.sleep(HAND_OVER)
                self.hand_over()
        finally:
            self.hand_over()


tally: Final = Tally()


def _observe(headers: bytes) -> None:
    """How late a live event was, beside the trace that it belongs to."""
    moment = header(headers, b"ce-time")
    try:
        made = dt.datetime.fromisoformat((moment or b"").decode())
    except ValueError:  # of something that is not ours
        return
    if made.tzinfo is not None:
        traceparent = header(headers, tracing.TRACEPARENT.encode()) or b""
        exemplar = {"trace_id": traceparent[3:35].decode()} if tracing.is_traceparent(traceparent) else None
        latency.observe(max(0.0, time.time() - made.timestamp()), exemplar)  # clocks differ a little
