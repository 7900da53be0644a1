"""Owns the receiver of traces that the tests give to the services: OTLP over HTTP, as a collector takes it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from chassis.http import HttpServer
from chassis.process import listen
from devstack.ports import HOST, free_port


@dataclass(frozen=True)
class Span:
    """One span, as its service has told it."""

    trace: str
    id: str
    parent: str
    service: str
    name: str
    kind: int
    attributes: dict[str, Any]
    began: int
    ended: int


class Collector:
    """Keeps every span that it is sent."""

    def __init__(self) -> None:
        self.port = free_port()
        self.spans: list[Span] = []

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def of(self, trace: str) -> list[Span]:
        """The spans of a trace so far, in the order in which they began."""
        return sorted((span for span in self.spans if span.trace == trace), key=lambda span: span.began)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Receive while the block runs."""
        app = FastAPI()

        @app.post("/v1/traces")
        async def take(request: Request) -> Response:
            self._take(ExportTraceServiceRequest.FromString(await request.body()))
            return Response(media_type="application/x-protobuf")

        serving = asyncio.create_task(HttpServer(app, listen(HOST, self.port, variable="PORT")).run())
        try:
            yield
        finally:
            serving.cancel()
            await asyncio.wait([serving])

    def _take(self, request: ExportTraceServiceRequest) -> None:
        for of_service in request.resource_spans:
            service = _plain(of_service.resource.attributes)["service.name"]
            for of_scope in of_service.scope_spans:
                for span in of_scope.spans:
                    self.spans.append(
                        Span(
                            *(span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()),
                            service,
                            span.name,
                            span.kind,
                            _plain(span.attributes),
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                        )
                    )


def _plain(attributes: Collection[KeyValue]) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in attributes}


def tree(spans: Collection[Span]) -> list[str]:
    """A trace as a person sees it: each span below its parent, children of one parent by name."""

    def below(parent: str, depth: int) -> list[str]:
        lines: list[str] = []
        for span in sorted((each for each in spans if each.parent == parent), key=_label):
            lines += ["  " * depth + _label(span), *below(span.id, depth + 1)]
        return lines

    roots = {span.parent for span in spans} - {span.id for span in spans}
    return [line for root in sorted(roots) for line in below(root, 0)]


def _label(span: Span) -> str:
    user, event = span.attributes.get("enduser.id", ""), span.attributes.get("cloudevents.event_type", "")
    return " ".join(part for part in (f"{span.service}: {span.name}", event, user and f"to {user}") if part)
