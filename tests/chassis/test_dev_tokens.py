"""Tokens for development."""

import time
from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI

from chassis.auth import Authenticator
from chassis.dev_tokens import TTL_MAX, dev_tokens
from chassis.http import add_routes, create_app
from chassis.settings import AuthSettings

Serve = Callable[[FastAPI], Awaitable[httpx.AsyncClient]]

SECRET = "a secret for tests, of 32 characters and more"


@pytest.fixture(scope="module")
def development() -> AuthSettings:
    """Settings with AUTH_DEV=1."""
    return AuthSettings(secret=SECRET, dev=True)


@pytest.fixture(scope="module")
async def client(serve: Serve, development: AuthSettings) -> httpx.AsyncClient:
    """The client of an application that gives tokens to whoever asks."""
    app = create_app("Things", version="1", checks={})
    add_routes(app, dev_tokens(development))
    return await serve(app)


async def test_a_token_is_for_whom_it_was_wished(client: httpx.AsyncClient, development: AuthSettings) -> None:
    """With the scopes and the lifetime that were wished."""
    wish = {"user_id": "alice", "scope": "inbox:write", "ttl": 60}
    said = await Authenticator.of(development).check((await client.post("/dev/token", json=wish)).json()["token"])
    assert (said.subject, said.scopes) == ("alice", frozenset({"inbox:write"}))
    assert said.expires_at <= time.time() + 60


async def test_a_wish_needs_no_more_than_a_name(client: httpx.AsyncClient, development: AuthSettings) -> None:
    """It has no scope then."""
    answer = await client.post("/dev/token", json={"user_id": "bob"})
    said = await Authenticator.of(development).check(answer.json()["token"])
    assert (said.subject, said.scopes) == ("bob", frozenset())


@pytest.mark.parametrize(
    "wish", [{}, {"user_id": ""}, {"user_id": "a", "ttl": 0}, {"user_id": "a", "ttl": TTL_MAX + 1}]
)
async def test_a_wish_that_cannot_be_granted_is_422(client: httpx.AsyncClient, wish: dict[str, object]) -> None:
    """No token without an end, nor for nobody."""
    assert (await client.post("/dev/token", json=wish)).status_code == 422


def test_without_development_there_is_no_such_route() -> None:
    """However the application is put together."""
    with pytest.raises(AssertionError, match="for development"):
        dev_tokens(AuthSettings(secret=SECRET))
