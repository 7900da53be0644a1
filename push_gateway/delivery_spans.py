"""Owns the span of a delivery: the last one of a trace, in which an event becomes a frame."""

from opentelemetry.trace import SpanKind

from chassis import tracing
from push_gateway.messages import StoredEvent, header

_HEADERS = (b"ce-id", b"ce-type", b"ce-subject")


def record(event: StoredEvent, *, began: int, sockets: int) -> None:
    """An event was written to sockets, from `began` on (nanoseconds since the Unix epoch), if it belongs to a trace."""
    if (traceparent := header(event.headers, tracing.TRACEPARENT.encode())) is None:
        return
    named = {name.decode(): (header(event.headers, name) or b"").decode(errors="replace") for name in _HEADERS}
    attributes = {**tracing.of_event(named), "messaging.nats.stream_sequence": event.seq, "tandem.sockets": sockets}
    tracing.begin(
        "deliver", SpanKind.CONSUMER, parent=traceparent.decode(errors="replace"), attributes=attributes, start=began
    ).end()
