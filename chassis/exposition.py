"""Owns how what was counted is told to Prometheus: in which format, and of which processes."""

import os

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector


def exposition(accept: str) -> tuple[bytes, str]:
    """The metrics and their content type: OpenMetrics, which has exemplars, if `accept` asks for it, else plain text.

    Of all processes together, and without exemplars, where several count in `PROMETHEUS_MULTIPROC_DIR`.
    """
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
