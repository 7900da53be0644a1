"""Owns `Idempotency-Key`: the same request sent twice is done once and answered alike.

The key is stored in the transaction of what it guards, so there is no moment in which one exists without the other;
a second request with the same key waits for the first one's commit.

Source: draft-ietf-httpapi-idempotency-key-header.
"""

import datetime as dt
import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from alembic import op
from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.edge import Caller, CurrentCaller, Session
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
    "INSERT INTO idempotency_keys (user_id, key, request) VALUES (:user, :key, :request)"
    " ON CONFLICT (user_id, key) DO NOTHING RETURNING true"
)
_FORGET_SOME = text(
    "DELETE FROM idempotency_keys WHERE (user_id, key) IN (SELECT user_id, key FROM idempotency_keys"
    " WHERE at < now() - CAST(:keep AS interval) ORDER BY at LIMIT 2 FOR UPDATE SKIP LOCKED)"
)
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
    op.execute("DROP TABLE idempotency_keys")


class Once:
    """Does a creating request at most once for each key of a caller."""

    def __init__(self, request: Request, session: AsyncSession, caller: Caller, key: str | None) -> None:
        self._request = request
        self._session = session
        self._identity = {"user": caller.user_id, "key": key}
        self._key = key

    async def run(self, status: int, create: Callable[[], Awaitable[BaseModel]]) -> JSONResponse:
        """Answer with `create`'s result, or with the first answer if this key was used before.

        Raises:
            Unprocessable: the key was used for another request.
        """
        if self._key is None:
            return JSONResponse((await create()).model_dump(mode="json"), status)
        fingerprint = await self._fingerprint()
        await self._session.execute(_FORGET_SOME, {"keep": KEEP})
        if await self._session.scalar(_CLAIM, {**self._identity, "request": fingerprint}):
            created = await create()
            await self._session.execute(
                _REMEMBER, {**self._identity, "status": status, "response": created.model_dump_json()}
            )
            return JSONResponse(created.model_dump(mode="json"), status)
        first = (await self._session.execute(_RECALL, self._identity)).one()
        if first.request != fingerprint:
            raise Unprocessable("this key was used for another request; use a new one", field="Idempotency-Key")
        response: Any = first.response
        return JSONResponse(response, first.status, {"Idempotency-Replayed": "true"})

    async def _fingerprint(self) -> bytes:
        request = f"{self._request.method} {self._request.url.path}\n".encode() + await self._request.body()
        return hashlib.sha256(request).digest()


async def _once(
    request: Request,
    session: Session,
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
    return Once(request, session, caller, key)


IdempotentOnce = Annotated[Once, Depends(_once)]
