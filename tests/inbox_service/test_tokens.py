"""Who is let in. None of these requests reaches the database: it is away, and that would be 503."""

from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from fastapi import FastAPI

from chassis.settings import AuthSettings

VALID: dict[str, Any] = {"sub": "alice", "aud": "tandem", "iss": "tandem", "exp": 4_000_000_000}

BAD_CLAIMS: list[dict[str, Any]] = [
    {"exp": 1_000_000_000},
    {"aud": "elsewhere"},
    {"iss": "elsewhere"},
    *[{"sub": user} for user in ("", " ", "a.b", "*", ">", "al ice", "alice\n", "a" * 65, 7, None)],
]


@pytest.fixture
def send(client_on: Callable[..., httpx.AsyncClient], app_away: FastAPI) -> Callable[[str], httpx.AsyncClient]:
    """Makes clients that send a given token."""
    return lambda token: client_on(app_away, token=token)


@pytest.mark.parametrize("claims", BAD_CLAIMS)
async def test_a_token_that_says_the_wrong_thing_is_refused(
    send: Callable[[str], httpx.AsyncClient], auth: AuthSettings, claims: dict[str, Any]
) -> None:
    """However well it is signed."""
    assert auth.secret is not None
    assert (await send(jwt.encode(VALID, auth.secret)).get("/items")).status_code == 503
    answer = await send(jwt.encode(VALID | claims, auth.secret)).get("/items")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_token_that_is_not_signed_is_refused(
    send: Callable[[str], httpx.AsyncClient], auth: AuthSettings
) -> None:
    """Neither with nothing nor with something else."""
    for token in ("rubbish", "..", jwt.encode(VALID, "", "none"), jwt.encode(VALID, f"not {auth.secret}")):
        assert (await send(token).get("/items")).status_code == 401


async def test_every_endpoint_needs_a_token(send: Callable[[str], httpx.AsyncClient], app_away: FastAPI) -> None:
    """Also the one that somebody adds; and a bad body or path does not come before a bad token."""
    checked = 0
    for path, methods in app_away.openapi()["paths"].items():
        if path.startswith("/v1"):
            for method in methods:
                for client in (send("rubbish"), send("")):
                    answer = await client.request(method, path.removeprefix("/v1/inbox"), content=b"{")
                    assert answer.status_code == 401, f"{method} {path}"
                checked += 1
    assert checked == 7
