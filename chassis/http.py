"""Owns the HTTP application every service starts from: health, failures, request ids, limits, the server."""

import asyncio
import contextlib
import socket
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.telemetry import TelemetryConfig
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.database import is_unavailable
from chassis.errors import Problem, TooLarge, Unavailable
from chassis.exposition import exposition
from chassis.observation import Observation
from chassis.openapi import Application, Methods
from chassis.problems import answer_problems, problem_response
from chassis.slow_clients import ImpatientProtocol

log = structlog.get_logger(__name__)

BODY_MAX = 64 * 1024
"""Bytes of a request body: many times the largest answer, and harmless to hold in memory."""

REQUEST_ID_MAX = 128
"""Characters of a request id taken over from the caller; longer ones are replaced."""

GRACE = 3
"""Seconds that requests under way may take to finish when the process stops."""

KEEP_ALIVE = 75
"""Seconds that a connection may be idle: longer than proxies and pools of clients keep one (60 s in nginx, 5 s in
httpx), so that it is they who hang up. If we did, it would race with their next request."""

_NONE_BUT_OURS: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI would tell of each request beside `chassis.observation`, and asks each time whether anybody wants to know."""

Check = Callable[[], Awaitable[bool]]


def create_app(
    title: str, *, version: str, checks: Mapping[str, Check], allowed_origins: Sequence[str] = ()
) -> FastAPI:
    """An application with `/healthz` (the process lives), `/readyz` (all `checks` hold) and problem answers.

    It has `/metrics` too, which is no part of the API: an edge must not pass it on. Pages from `allowed_origins` may
    call it.
    """
    app = Application(title=title, version=version, redoc_url=None, telemetry=_NONE_BUT_OURS)

    @app.get("/healthz", tags=["operation"], summary="Whether the process lives")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get(
        "/readyz",
        tags=["operation"],
        summary="Whether everything that this service needs is there",
        response_model=dict[str, bool],
        responses={503: {"model": dict[str, bool], "description": "Something is missing"}},
    )
    async def readyz() -> JSONResponse:
        results = {name: await check() for name, check in checks.items()}
        return JSONResponse({"ready": all(results.values()), **results}, 200 if all(results.values()) else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        body, content_type = exposition(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    answer_problems(app)
    app.add_middleware(Methods, application=app)
    app.add_middleware(Failures)
    app.add_middleware(BodyLimit)
    app.add_middleware(Observation)
    app.add_middleware(RequestIds)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=allowed_origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id"],
        expose_headers=["X-Request-Id", "Idempotency-Replayed", "Retry-After"],
        max_age=600,
    )
    return app


def add_routes(app: FastAPI, router: APIRouter) -> None:
    """Have an application answer what a router does. Of a router that is included as such, FastAPI (0.165) matches each
    request with all routes twice."""
    app.router.routes.extend(router.routes)


class Failures:
    """Answers for what nobody else has an answer to: the database is away, or we are at fault.

    Starlette's own place for this is outside of all middleware, where the request's id is bound no longer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering = False

        async def watched_send(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception as error:
            if answering or scope["type"] != "http":
                raise
            await _failed(scope, error)(scope, receive, send)


def _failed(scope: Scope, error: Exception) -> JSONResponse:
    if is_unavailable(error):
        log.warning("the database is away", path=scope["path"], error=str(error))
        return problem_response(Unavailable("the database cannot be reached; try again"))
    log.exception("a request failed", path=scope["path"], exc_info=error)
    problem = Problem("this is our fault; the log has more under request_id", request_id=scope.get("request_id"))
    return problem_response(problem)


class RequestIds:
    """Gives every request an id, takes over one that the caller sends, and binds it to the log lines of the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if 0 < len(given) <= REQUEST_ID_MAX and given.isprintable() else str(uuid.uuid4())
        scope["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)  # of this request: it has a context of its own
        await self._app(scope, receive, send_with_id)


class BodyLimit:
    """Refuses request bodies over `BODY_MAX`, whether announced or found out while reading."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        body = bytearray()
        while announced.isdecimal() and int(announced) <= BODY_MAX and len(body) <= BODY_MAX:
            message = await receive()
            body += message.get("body", b"")
            if message["type"] == "http.disconnect":
                return
            if not message.get("more_body", False):
                break
        else:
            problem = TooLarge(f"the body is over {BODY_MAX // 1024} KiB", field="body")
            await problem_response(problem)(scope, receive, send)
            return

        replayed = False

        async def receive_again() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, receive_again, send)


class HttpServer:
    """Serves an application on a socket until cancelled; requests under way may finish."""

    name = "http"

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        self._listener = listener
        self._server = _Server(
            uvicorn.Config(
                app,
                http=ImpatientProtocol,
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=GRACE,
            )
        )

    async def run(self) -> None:
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="uvicorn")
        try:
            await asyncio.shield(serving)
        finally:
            self._server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process: it has more to stop than this server."""
        yield
