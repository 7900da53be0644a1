"""Owns what the demo page may do to the system that `make run` started: take the gateway down for a while.

Never part of a service: it lives in the runner's process, on a loopback port that nobody is told but the page.
"""

import asyncio
import contextlib
import socket
from collections.abc import Collection, Iterator
from typing import Final

import uvicorn
from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from devstack.keeper import Keeper, RestartUnderWay
from devstack.ports import HOST

DOWN_MAX: Final = 120.0
"""Seconds. Whoever wants it to be down for longer wants to stop it."""


class Outage(BaseModel):
    """For how many seconds the gateway stays down."""

    down_for: float = Field(0, ge=0, le=DOWN_MAX)


class Control:
    """An HTTP server with one route, `POST /gateway/restart {"down_for": seconds}`, for pages of `allowed_origins`.

    It answers 204 when the gateway is back, and 409 to a second wish before that.
    """

    def __init__(self, allowed_origins: Collection[str]) -> None:
        """Take a port; `run` listens on it."""
        self._allowed_origins = allowed_origins
        self._socket = socket.create_server((HOST, 0))

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self._socket.getsockname()[1]}"

    async def run(self, gateway: Keeper) -> None:
        """Serve until cancelled. What is under way then is not waited for."""

        async def restart(request: Request) -> Response:
            if request.headers.get("origin") not in {None, *self._allowed_origins}:  # a form of any page could do it
                return PlainTextResponse("this page may not do that", 403)
            try:
                outage = Outage.model_validate_json(await request.body())
                back = await gateway.restart(down_for=outage.down_for)
            except ValidationError as error:
                return PlainTextResponse(str(error), 422)
            except RestartUnderWay:
                return PlainTextResponse("the gateway is being restarted already", 409)
            return Response(status_code=204) if back else PlainTextResponse("everything is being stopped", 503)

        cors = Middleware(
            CORSMiddleware,
            allow_origins=self._allowed_origins,
            allow_methods=["POST"],
            allow_headers=["Content-Type"],
        )
        app = Starlette(routes=[Route("/gateway/restart", restart, methods=["POST"])], middleware=[cors])
        server = _Server(uvicorn.Config(app, loop="none", lifespan="off", log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[self._socket]), name="control's server")
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = server.force_exit = True
            await serving

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the runner: it has more to stop than this."""
        yield
