"""Owns what the gateway counts, in Prometheus's conventions."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

sockets = Gauge("tandem_push_sockets", "Sockets that are open and admitted.", multiprocess_mode="livesum")
frames = Counter("tandem_push_frames", "Event frames written to sockets.")
repairs = Counter("tandem_push_repairs", "Reads from the stream because a feed was or may have been incomplete.")
resumes = Counter("tandem_push_resumes", "Sockets that asked to resume.", ["complete"])
passes = Counter("tandem_push_passes", "Passes over the stream for many clients that came back together.")
refusals = Counter("tandem_push_refusals", "Sockets closed by the gateway.", ["code"])
malformed = Counter("tandem_push_malformed_messages", "Live messages that were not events.")


def exposition() -> bytes:
    """What `/metrics` says: of all workers together, if this gateway is one of several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
