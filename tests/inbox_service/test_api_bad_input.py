"""What bad input gets: 4xx, a problem, and the name of the field."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

Sql = Callable[..., Awaitable[list[asyncpg.Record]]]

ID = "0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f"
ITEM: dict[str, Any] = {"recipient_id": "alice", "kind": "notice", "title": "x"}


def nested(depth: int, leaf: object = 1) -> Any:
    """An object with `leaf` inside so many objects."""
    for _ in range(depth):
        leaf = {"a": leaf}
    return leaf


@pytest.fixture
def caller(client_on: Callable[..., httpx.AsyncClient], app_away: FastAPI) -> httpx.AsyncClient:
    """Whose database is away: what they are told comes from their input alone; input that is good gets 503."""
    client = client_on(app_away, "alice", scope="inbox:write")
    client.headers["content-type"] = "application/json"
    return client


def assert_problem(answer: httpx.Response, status: int, field: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert [error["field"] for error in problem["errors"]] == [field]
    assert all(error["detail"] for error in problem["errors"])


async def test_an_item_at_its_limits_is_taken(writer: httpx.AsyncClient, caller: httpx.AsyncClient) -> None:
    """The limits are where they are said to be, for the database too."""
    at_the_limit: list[dict[str, Any]] = [
        {},
        {"recipient_id": "aZ09_-" + "x" * 58, "sender_id": "x" * 64},
        {"kind": "a" + "z0_" * 21},
        {"title": "🌊" * 200, "body": "é" * 4_000},
        {"body": ""},
        {"data": nested(32)},
        {"data": {"a": "x" * (32 * 1024 - len('{"a": ""}'))}},
        {"data": {"a": "\\u0000", "b": ["\\ud800"]}},
    ]
    for fields in at_the_limit:
        assert (await caller.post("/items", json=ITEM | fields)).status_code == 503
        assert (await writer.post("/items", json=ITEM | fields)).status_code == 201


@pytest.mark.parametrize("field", ["recipient_id", "sender_id"])
@pytest.mark.parametrize(
    "user", ["", " ", "a.b", "*", ">", "alice.>", "al ice", "alice\n", "\nalice", "a" * 65, "alicé", "a\0", "\ud800", 7]
)
async def test_a_user_id_that_would_reach_another_subject_is_refused(
    caller: httpx.AsyncClient, field: str, user: object
) -> None:
    """Of the recipient and of the sender."""
    assert_problem(await caller.post("/items", content=json.dumps(ITEM | {field: user})), 422, field)


NOT_KEPT: dict[str, list[object]] = {
    "kind": ["", "Notice", "1st", "a-b", "a.b", "notice\n", "n" * 65, "é", None],
    "title": ["", " ", "\u3000\n", "x" * 201, "a\0b", "\ud800", None, 7, ["x"]],
    "body": ["x" * 4_001, "a\0b", "a\udfff", None, 7],
    "data": [
        None,
        [],
        "x",
        7,
        {"a": "\0"},
        {"\0": 1},
        {"a": ["\ud800"]},
        {"\ud800": 1},
        {"a": float("nan")},
        {"a": [float("inf")]},
        nested(33),
        nested(300),
        {"a": "x" * (32 * 1024 - len('{"a": ""}') + 1)},
    ],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in NOT_KEPT.items() for value in values])
async def test_a_field_that_cannot_be_kept_is_refused(caller: httpx.AsyncClient, field: str, value: object) -> None:
    """Empty, too long, of another type, with what PostgreSQL or JSON cannot carry, or nested too deeply."""
    answer = await caller.post("/items", content=json.dumps(ITEM | {field: value}))
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error["field"].split(".")[0] for error in answer.json()["errors"]} == {field}


@pytest.mark.parametrize("field", ITEM)
async def test_a_field_that_is_missing_is_named(caller: httpx.AsyncClient, field: str) -> None:
    """There is no item without one, for somebody, of a kind."""
    without = {name: value for name, value in ITEM.items() if name != field}
    assert_problem(await caller.post("/items", json=without), 422, field)


async def test_numbers_that_grow_in_the_database_are_refused_too(writer: httpx.AsyncClient, sql: Sql) -> None:
    """PostgreSQL writes 1e300 out in full: what was short in the request is over the limit there."""
    assert_problem(await writer.post("/items", json=ITEM | {"data": {"a": [1e300] * 200}}), 422, "data")
    assert await sql("SELECT FROM inbox_items") == []
    assert (await writer.post("/items", json=ITEM | {"data": {"a": [1e300] * 50}})).status_code == 201


async def test_a_number_that_most_readers_would_take_for_infinity_is_refused(writer: httpx.AsyncClient) -> None:
    """Python sends it as it is; JavaScript could not read it back, nor Python itself if it were longer."""
    assert_problem(await writer.post("/items", json=ITEM | {"data": {"a": [-(10**309)]}}), 422, "data")
    assert (await writer.post("/items", json=ITEM | {"data": {"a": [-(10**308)]}})).status_code == 201


@pytest.mark.parametrize("through", ["null", '""', '"newest"', "7", f'"{ID}x"', '"\\ud800"', "{}"])
async def test_a_bound_that_is_no_id_is_refused(caller: httpx.AsyncClient, through: str) -> None:
    """Nothing is marked by mistake."""
    answer = await caller.post("/items/read-all", content=f'{{"through": {through}}}')
    assert_problem(answer, 422, "through")
    assert_problem(await caller.post("/items/read-all", content="{}"), 422, "through")


@pytest.mark.parametrize(("method", "end"), [("GET", ""), ("DELETE", ""), ("POST", "/read")])
@pytest.mark.parametrize("item", ["7", ID[:-1], f"{ID}'", "latest"])
async def test_an_item_that_is_no_id_is_refused(caller: httpx.AsyncClient, method: str, end: str, item: str) -> None:
    """The field is the part of the path."""
    assert_problem(await caller.request(method, f"/items/{item}{end}"), 422, "item_id")


@pytest.mark.parametrize("path", ["/items", "/items/read-all"])
async def test_a_body_that_is_no_json_object_is_refused(caller: httpx.AsyncClient, path: str) -> None:
    """Invalid JSON is 400, over 64 KiB is 413, anything else but an object is 422; the field is the body."""
    for body in (b"{", b"text", b'{"title": "\xff"}', b"[" * 10_000):
        assert_problem(await caller.post(path, content=body), 400, "body")
    for body in (b"[]", b"7", b""):
        assert_problem(await caller.post(path, content=body), 422, "body")
    assert_problem(await caller.post(path, content=b"{" + b" " * 64 * 1024), 413, "body")


def cursor(*key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "garbage!",
        "a",
        "\xe9",
        base64.urlsafe_b64encode(b"no JSON").decode(),
        cursor(),
        cursor(7),
        cursor(None),
        cursor("newest"),
        cursor("\ud800"),
        cursor("2026-03-01", ID),
        cursor(ID, ID),
    ],
)
async def test_a_bad_cursor_is_refused(caller: httpx.AsyncClient, bad: str) -> None:
    """Garbage, the other service's, and the right shape with the wrong thing in it."""
    assert_problem(await caller.get("/items", params={"cursor": bad}), 400, "cursor")
    assert (await caller.get("/items", params={"cursor": cursor(ID)})).status_code == 503


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "many"),
        ("is_read", "perhaps"),
        ("is_read", ""),
        ("cursor", "x" * 513),
    ],
)
async def test_a_bad_query_is_refused(caller: httpx.AsyncClient, name: str, value: str) -> None:
    """The field is the parameter."""
    assert_problem(await caller.get("/items", params={name: value}), 422, name)
