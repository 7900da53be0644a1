"""Owns `Idempotency-Key`: the same request sent twice is done once and answered alike.

The key is stored in the transaction of what it guards, so there is no moment in which one exists without the other;
a second request with the same key waits for the first one's commit.

Source: draft-ietf-httpapi-idempotency-key-header.
"""

import datetime as dt
import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.edge import Caller, CurrentCaller, edge_of
from chassis.errors import Unprocessable
from chassis.migrate import execute_script

KEEP = dt.timedelta(hours=24)
"""How long a key is remembered: longer than any client keeps retrying one request."""

KEY_MAX = 128
"""Characters of a key; a UUID has 36."""

CREATE = """
CREATE TABLE idempotency_keys (
    user_id text NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL,
    status smallint,
    response jsonb,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_at ON idempotency_keys (at);
"""

_CLAIM = text(
    "WITH old AS (SELECT user_id, key FROM idempotency_keys"
    " WHERE at < now() - CAST(:keep AS interval) AND (user_id, key) <> (:user, :key)"
    " ORDER BY at LIMIT 2 FOR UPDATE SKIP LOCKED),"
    " forgotten AS (DELETE FROM idempotency_keys AS known USING old"
    " WHERE (known.user_id, known.key) = (old.user_id, old.key))"
    " INSERT INTO idempotency_keys (user_id, key, request) VALUES (:user, :key, :request)"
    " ON CONFLICT (user_id, key) DO NOTHING RETURNING true"
)
"""Also takes away two of those that are too old, but never its own, which is in the way of the new one until the end of
the statement."""

_RECALL = text("SELECT request, status, response FROM idempotency_keys WHERE user_id = :user AND key = :key")
_REMEMBER = text(
    "UPDATE idempotency_keys SET status = :status, response = CAST(:response AS jsonb)"
    " WHERE user_id = :user AND key = :key"
)


def create_idempotency_keys() -> None:
    """The table, as a migration helper."""
    execute_script(CREATE)


def remove_idempotency_keys() -> None:
    """Undo `create_idempotency_keys`."""
    execute_script("DROP TABLE idempotency_keys")


Create = Callable[[AsyncConnection], Awaitable[BaseModel]]


class Once:
    """Does a creating request at most once for each key of a caller."""

    def __init__(self, request: Request, database: Database, caller: Caller, key: str | None) -> None:
        self._request = request
        self._database = database
        self._identity = {"user": caller.user_id, "key": key}
        self._key = key

    async def run(self, status: int, create: Create, *, statement: bool = False) -> Response:
        """Answer with `create`'s result, or with the first answer if this key was used before. It is committed then.

        Args:
            create: does it, on the connection that it is given.
            statement: whether it writes with one statement only, which without a key needs no transaction around it.

        Raises:
            Unprocessable: the key was used for another request.
        """
        if self._key is None:
            async with self._database.statement() if statement else self._database.transaction() as connection:
                created = await create(connection)
            return _answer(created.model_dump_json(), status)
        async with self._database.transaction() as connection:
            return await self._once(connection, status, create)

    async def _once(self, connection: AsyncConnection, status: int, create: Create) -> Response:
        fingerprint = await self._fingerprint()
        claim = {**self._identity, "request": fingerprint, "keep": KEEP}
        if await connection.scalar(_CLAIM, claim):
            created = (await create(connection)).model_dump_json()
            await connection.execute(_REMEMBER, {**self._identity, "status": status, "response": created})
            return _answer(created, status)
        first = (await connection.execute(_RECALL, self._identity)).one()
        if first.request != fingerprint:
            raise Unprocessable("this key was used for another request; use a new one", field="Idempotency-Key")
        return JSONResponse(first.response, first.status, {"Idempotency-Replayed": "true"})

    async def _fingerprint(self) -> bytes:
        request = f"{self._request.method} {self._request.url.path}\n".encode() + await self._request.body()
        return hashlib.sha256(request).digest()


def _answer(body: str, status: int) -> Response:
    return Response(body, status, media_type=JSONResponse.media_type)


async def _once(
    request: Request,
    caller: CurrentCaller,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=KEY_MAX,
            description="repeat it to repeat the request safely",
        ),
    ] = None,
) -> Once:
    return Once(request, edge_of(request).database, caller, key)


IdempotentOnce = Annotated[Once, Depends(_once)]
