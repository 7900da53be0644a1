"""Owns what is measured of each HTTP request: a count, how long it took, and a span if its trace is recorded."""

import time
from typing import Final

from opentelemetry.trace import Span
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import tracing

requests: Final = Counter("tandem_http_requests", "HTTP requests answered.", ["method", "route", "status"])
duration: Final = Histogram(
    "tandem_http_request_duration_seconds",
    "From the head of a request to the end of its answer.",
    ["method", "route"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

OPERATION: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""What machines ask every few seconds. It says nothing about users, and would hide what does."""

METHODS: Final = frozenset({"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"})
OTHER: Final = "other"
"""A method or a path that we do not have: callers must not make new time series."""

BROKEN_OFF: Final = 499
"""The status of a request whose caller has gone before it was answered, as nginx has it."""


class Observation:
    """Measures what passes through it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPERATION:
            await self._app(scope, receive, send)
            return
        status = BROKEN_OFF

        async def watched_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        method = scope["method"] if scope["method"] in METHODS else OTHER
        span = tracing.begin_request(method, traceparent=Headers(scope=scope).get(tracing.TRACEPARENT))
        with tracing.current(span):
            try:
                await self._app(scope, receive, watched_send)
            finally:
                route = _route(scope)
                requests.labels(method, route, status).inc()
                duration.labels(method, route).observe(time.perf_counter() - began, tracing.exemplar())
                _describe(span, scope, route, status)


def _route(scope: Scope) -> str:
    """The template of the path: there are as many of them as routes."""
    return getattr(scope.get("route"), "path", OTHER)


def _describe(span: Span, scope: Scope, route: str, status: int) -> None:
    """By the conventions of OpenTelemetry for HTTP servers. The path itself may hold ids, and a query anything."""
    if not span.is_recording():
        return
    span.update_name(f"{scope['method']} {route}")
    span.set_attributes(
        {
            "http.request.method": scope["method"],
            "http.route": route,
            "http.response.status_code": status,
            "tandem.request_id": scope.get("request_id", ""),
        }
    )
    if status >= 500:
        tracing.failed(span, str(status))
