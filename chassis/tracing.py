"""Owns traces: whether any are recorded, and how one is carried on from a request through rows and messages.

Made by hand at the few places that matter, and with the API of OpenTelemetry, whose own variables say where spans go.
Nothing is recorded, and next to nothing is spent, unless they do. A span never holds what an exception says: that may
quote what a person wrote.

Sources: W3C Trace Context, section 3.2; OpenTelemetry's specification of environment variables and its conventions for
messaging and CloudEvents spans.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.typing import EventDict, WrappedLogger

from chassis.settings import TraceSettings

TRACEPARENT: Final = "traceparent"
"""The header by which a trace is carried, of requests and of messages."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_FORM: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?")
_NOTHING: Final[AbstractContextManager[None]] = contextlib.nullcontext()


@dataclass(slots=True)
class _Tracing:
    """What this process was told."""

    tracer: Tracer | None = None


_tracing: Final = _Tracing()


def configure(settings: TraceSettings, *, service: str) -> None:
    """Send spans, from a thread and in batches, to where `settings` say; or record none."""
    if not settings.wanted:
        return
    # Imported only where they are used: half a second, and memory of every gateway.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider as Recorder  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    resource = Resource.create({"service.namespace": "tandem", "service.name": settings.service_name or service})
    provider = Recorder(resource=resource)  # reads the sampler from the environment; at exit it sends what is left
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    record(provider)


def record(provider: TracerProvider | None) -> None:
    """Record spans with `provider` from now on; with None, none at all."""
    _tracing.tracer = provider.get_tracer("tandem") if provider is not None else None


def recording() -> bool:
    """Whether this process records spans at all."""
    return _tracing.tracer is not None


def in_recorded_trace() -> bool:
    """Whether what is done now belongs to a trace that is recorded."""
    return _tracing.tracer is not None and trace.get_current_span().is_recording()


def begin_request(name: str, *, traceparent: str | None) -> Span:
    """Begin the span of a request, in the caller's trace if it sent one, else in a new one. It must be ended."""
    if _tracing.tracer is None:
        return INVALID_SPAN
    return _tracing.tracer.start_span(name, _context(traceparent), kind=SpanKind.SERVER)


def begin(
    name: str,
    kind: SpanKind,
    *,
    parent: str | None = None,
    attributes: Mapping[str, str | int] | None = None,
    start: int | None = None,
) -> Span:
    """Begin a span below the one that `parent` names, or else below the current one. It must be ended.

    Without either nothing is recorded: only requests begin traces. `start` is in nanoseconds since the Unix epoch.
    """
    if _tracing.tracer is None:
        return INVALID_SPAN
    above = _context(parent) if parent is not None else context.get_current()
    if not trace.get_current_span(above).get_span_context().is_valid:
        return INVALID_SPAN
    return _tracing.tracer.start_span(name, above, kind=kind, attributes=attributes, start_time=start)


def current(span: Span) -> AbstractContextManager[None]:
    """Make `span` the current one within a block, and end it there."""
    return _within(span) if span is not INVALID_SPAN else _NOTHING


@contextlib.contextmanager
def _within(span: Span) -> Iterator[None]:
    try:
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            yield
    except Exception as error:
        failed(span, type(error).__name__)
        raise
    finally:
        span.end()


def failed(span: Span, reason: str) -> None:
    """Mark a span as failed."""
    span.set_status(Status(StatusCode.ERROR, reason))


def fail_current(error: Exception) -> None:
    """Mark the current span as failed, without what the error says."""
    failed(trace.get_current_span(), type(error).__name__)


def traceparent_of(span: Span) -> str | None:
    """What to hand on so that what follows stands below `span`; None if that is not recorded."""
    if not span.is_recording():
        return None
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
    return carrier[TRACEPARENT]


def is_traceparent(value: bytes) -> bool:
    """Whether it has the form of one."""
    return _FORM.fullmatch(value) is not None


def exemplar() -> dict[str, str] | None:
    """Names the current trace beside a measurement (OpenMetrics 1.0, exemplars); None if none is recorded."""
    span = trace.get_current_span() if _tracing.tracer is not None else INVALID_SPAN
    return {"trace_id": trace.format_trace_id(span.get_span_context().trace_id)} if span.is_recording() else None


def of_event(headers: Mapping[str, str]) -> dict[str, str | int]:
    """Attributes of a span about an event with these headers."""
    names = {"ce-id": "cloudevents.event_id", "ce-type": "cloudevents.event_type", "ce-subject": "enduser.id"}
    return {"messaging.system": "nats", **{names[name]: headers[name] for name in names if name in headers}}


def add_trace_id(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Name the current trace in a log line; a structlog processor."""
    return {**line, **(exemplar() or {})} if _tracing.tracer is not None else line


def _context(traceparent: str | None) -> Context:
    """What a traceparent says; one that cannot be read says nothing."""
    return _PROPAGATOR.extract({TRACEPARENT: traceparent or ""}, context=Context())
