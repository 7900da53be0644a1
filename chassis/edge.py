"""Owns what each HTTP request is given: the database, the caller, the time.

Dependencies, here and in the services, are coroutines also where they wait for nothing: FastAPI runs any other
callable in a thread, which costs more than most of them do.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from chassis.auth import Authenticator
from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Forbidden, InvalidToken, TooManyRequests, Unauthorized
from chassis.http import Check
from chassis.rates import RateLimit

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT")


@dataclass(frozen=True, slots=True)
class Edge:
    """What an application is put together with.

    Attributes:
        identify: turns a token's `sub` into a user id, raising ValueError for one that is not allowed.
        clock: the time, aware.
        limit: how often each user may ask; None: as often as they like.
        unlimited: the scopes of other services, which speak for many users and are not limited.
    """

    database: Database
    authenticator: Authenticator
    identify: Callable[[str], str]
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    limit: RateLimit | None = None
    unlimited: frozenset[str] = frozenset()

    def checks(self, bus: Bus, revision: str) -> dict[str, Check]:
        """What it takes to be ready: the database answers and has the schema `revision`, NATS is connected, and has
        said which tokens were revoked."""

        async def database() -> bool:
            return await self.database.ready(revision)

        async def nats() -> bool:
            return bus.connected and self.authenticator.ready

        return {"database": database, "nats": nats}

    def attach(self, app: FastAPI) -> None:
        app.state.edge = self


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes the request."""

    user_id: str
    scopes: frozenset[str]

    def must_have(self, scope: str) -> None:
        """Raises:
        Forbidden: the caller's token does not have `scope`.
        """
        if scope not in self.scopes:
            raise Forbidden(f"this needs a token with the scope {scope!r}")


def edge_of(request: Request) -> Edge:
    """The edge of its application."""
    edge: Edge = request.app.state.edge
    return edge


async def _database(request: Request) -> Database:
    return edge_of(request).database


async def _caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    edge = edge_of(request)
    if credentials is None:
        raise Unauthorized("send `Authorization: Bearer <token>`")
    try:
        claims = await edge.authenticator.check(credentials.credentials)
        caller = Caller(edge.identify(claims.subject), claims.scopes)
    except (InvalidToken, ValueError) as error:
        raise Unauthorized(str(error)) from error
    structlog.contextvars.bind_contextvars(user=caller.user_id)  # of this request: it has a context of its own
    if edge.limit is not None and not caller.scopes & edge.unlimited and edge.limit.take(caller.user_id):
        raise TooManyRequests("you ask too often; wait a second")
    return caller


async def _now(request: Request) -> dt.datetime:
    return edge_of(request).clock()


CurrentCaller = Annotated[Caller, Depends(_caller)]

TheDatabase = Annotated[Database, Depends(_database)]
"""For a call to open what it needs, when its input has turned out to be good: who sends bad input takes no connection.
What it writes is committed when it closes that, so before the answer: a client that reads 2xx can rely on it."""

Now = Annotated[dt.datetime, Depends(_now)]
"""When the request came in."""
