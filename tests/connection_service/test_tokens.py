"""Who is let in. None of these requests reaches the database: it is away, and that would be 503."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from fastapi import FastAPI

from chassis.auth import issue_token
from chassis.settings import AuthSettings

SECRET = "a secret for tests, of 32 characters and more"

VALID: dict[str, Any] = {"sub": "alice", "aud": "tandem", "iss": "tandem", "exp": 4_000_000_000}


def signed(algorithm: str = "HS256", secret: str = SECRET, **claims: Any) -> str:
    """A token of alice's, except for what is said; None leaves a claim out."""
    wanted = {name: value for name, value in {**VALID, **claims}.items() if value is not None}
    return jwt.encode(wanted, secret, algorithm=algorithm)


def without(part: int) -> str:
    parts = signed().split(".")
    return ".".join([*parts[:part], "", *parts[part + 1 :]])


BAD = {
    "nothing": "",
    "no token": "rubbish",
    "three parts of nothing": "..",
    "not ASCII": "\xe9.\xe9.\xe9",
    "no header": without(0),
    "no claims": without(1),
    "no signature": without(2),
    "cut off": signed()[:-2],
    "too long": signed(pad="x" * 9_000),
    "expired": signed(exp=int(time.time()) - 60),
    "never expires": signed(exp=None),
    "not valid yet": signed(nbf=4_000_000_000),
    "another audience": signed(aud="elsewhere"),
    "no audience": signed(aud=None),
    "another issuer": signed(iss="elsewhere"),
    "no issuer": signed(iss=None),
    "no subject": signed(sub=None),
    "subject is a number": signed(sub=7),
    "subject is a list": signed(sub=["alice"]),
    "another user's claims": ".".join(
        [*signed().split(".")[:1], signed(sub="bob").split(".")[1], signed().split(".")[2]]
    ),
    "another secret": signed(secret="another secret, of 32 characters and more"),
    "alg none": signed("none", ""),
    "another algorithm": signed("HS512", SECRET * 2),
}

BAD_USER_IDS = [
    "",
    " ",
    "a.b",
    "*",
    ">",
    "alice.>",
    "al ice",
    "alice\n",
    "\nalice",
    "alice\r\n",
    "a" * 65,
    "alicé",
    "a\0",
]


@pytest.fixture
def send(client_on: Callable[..., httpx.AsyncClient], app_away: FastAPI) -> Callable[[str], httpx.AsyncClient]:
    """Makes clients that send a given token."""
    return lambda token: client_on(app_away, token=token)


async def assert_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/partnership")
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    problem = answer.json()
    assert (problem["status"], problem["title"]) == (401, "Unauthorized")
    assert SECRET not in problem["detail"]


async def test_a_good_token_gets_as_far_as_the_database(send: Callable[[str], httpx.AsyncClient]) -> None:
    """Which shows that what the other tests send is refused for the token alone."""
    assert (await send(signed()).get("/partnership")).status_code == 503


@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
async def test_a_bad_token_is_refused(send: Callable[[str], httpx.AsyncClient], token: str) -> None:
    """It is 401, and says what to send."""
    client = send("x")
    client.headers = httpx.Headers({"authorization": f"Bearer {token}"}, encoding="latin-1")
    await assert_refused(client)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic YWxpY2U6", f"Token {signed()}", signed()])
async def test_a_request_without_a_bearer_token_is_refused(
    send: Callable[[str], httpx.AsyncClient], header: str | None
) -> None:
    """Whatever stands in its place."""
    client = send("x")
    del client.headers["authorization"]
    if header is not None:
        client.headers["authorization"] = header
    await assert_refused(client)


@pytest.mark.parametrize("user", BAD_USER_IDS)
async def test_a_user_id_that_would_reach_another_subject_is_refused(
    send: Callable[[str], httpx.AsyncClient], user: str
) -> None:
    """However well the token is signed."""
    await assert_refused(send(signed(sub=user)))


async def test_a_user_id_of_64_characters_is_let_in(send: Callable[[str], httpx.AsyncClient]) -> None:
    """The limit is where it is said to be."""
    assert (await send(signed(sub="aZ09_-" + "x" * 58)).get("/partnership")).status_code == 503


async def test_every_endpoint_needs_a_token(
    send: Callable[[str], httpx.AsyncClient], app_away: FastAPI, auth: AuthSettings
) -> None:
    """Also the one that somebody adds; and a bad body or path does not come before a bad token."""
    client, checked = send("rubbish"), 0
    for path, methods in app_away.openapi()["paths"].items():
        if path.startswith("/v1"):
            for method in methods:
                answer = await client.request(method, path.removeprefix("/v1"), content=b"{")
                assert answer.status_code == 401, f"{method} {path}"
                checked += 1
    assert checked == 9
    assert (await send(issue_token(auth, "alice")).get("/partnership")).status_code == 503
