"""What bad input gets: 4xx, a problem, and the name of the field. None of it reaches the database, which is away."""

import base64
import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI

ANSWERS = "/daily-connections/0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f/answers"
ACCEPT = "/partnership/accept"
INVITES = "/partnership/invites"


@pytest.fixture
def alice(client_on: Callable[..., httpx.AsyncClient], app_away: FastAPI) -> httpx.AsyncClient:
    """Whose database is away: what she is told comes from her input alone."""
    client = client_on(app_away, "alice")
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


async def test_good_input_gets_as_far_as_the_database(alice: httpx.AsyncClient) -> None:
    """Which shows that the other tests are about the input."""
    assert (await alice.post(ANSWERS, json={"text": "x" * 4_000})).status_code == 503
    assert (await alice.post(ACCEPT, json={"code": "x" * 32})).status_code == 503
    assert (await alice.post(INVITES, json={"time_zone": "Europe/Berlin"})).status_code == 503
    assert (await alice.post(INVITES)).status_code == 503


@pytest.mark.parametrize(
    "text",
    [
        '""',
        '"  "',
        '" \\n\\t\\u3000 "',
        f'"{"x" * 4_001}"',
        '"a\\u0000b"',
        '"\\ud800"',
        '"a\\udfffb"',
        '"\\udc00\\ud800"',
        "null",
        "7",
        '["a"]',
        "{}",
    ],
)
async def test_an_answer_that_cannot_be_kept_is_refused(alice: httpx.AsyncClient, text: str) -> None:
    """Empty, blank, too long, with what PostgreSQL or JSON cannot carry, or no text at all."""
    assert_problem(await alice.post(ANSWERS, content=f'{{"text": {text}}}'), 422, "text")


@pytest.mark.parametrize("code", ['""', '" "', f'"{"x" * 33}"', '"a\\u0000b"', '"\\ud800"', "null", "7"])
async def test_a_code_that_cannot_be_one_is_refused(alice: httpx.AsyncClient, code: str) -> None:
    """Before anybody looks for it."""
    assert_problem(await alice.post(ACCEPT, content=f'{{"code": {code}}}'), 422, "code")


@pytest.mark.parametrize(
    "zone", ["", "Nowhere/City", "Europe", "../../etc/passwd", "europe/berlin", "UTC\0", "\ud800", "x" * 65, None, 7]
)
async def test_a_time_zone_that_does_not_exist_is_refused(alice: httpx.AsyncClient, zone: object) -> None:
    """A partnership in it would have no day."""
    assert_problem(await alice.post(INVITES, content=json.dumps({"time_zone": zone})), 422, "time_zone")


@pytest.mark.parametrize("path", [ANSWERS, ACCEPT])
async def test_a_field_that_is_missing_is_named(alice: httpx.AsyncClient, path: str) -> None:
    """Unknown fields are ignored, so a misspelt one is a missing one."""
    assert_problem(await alice.post(path, json={"txt": "x"}), 422, "text" if path == ANSWERS else "code")


@pytest.mark.parametrize("path", [ANSWERS, ACCEPT, INVITES])
@pytest.mark.parametrize("body", ["{", '{"text": "x"', "text", "{'text': 'x'}", '{"text": "x"} {}', '{"text": "\n"}'])
async def test_invalid_json_is_refused(alice: httpx.AsyncClient, path: str, body: str) -> None:
    """The field is the body."""
    assert_problem(await alice.post(path, content=body), 400, "body")


@pytest.mark.parametrize("path", [ANSWERS, ACCEPT, INVITES])
@pytest.mark.parametrize(
    "body",
    [b'{"text": "\xff"}', b"\xff\xfe", b"[" * 10_000, b"[" * 10_000 + b"]" * 10_000, b'{"n": ' + b"1" * 5_000 + b"}"],
)
async def test_json_that_python_cannot_read_is_refused(alice: httpx.AsyncClient, path: str, body: bytes) -> None:
    """Not UTF-8, nested too deeply, numbers of too many digits: no fault of ours."""
    answer = await alice.post(path, content=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [ANSWERS, ACCEPT, INVITES])
@pytest.mark.parametrize("body", ["[]", '"x"', "7", "true"])
async def test_json_that_is_not_an_object_is_refused(alice: httpx.AsyncClient, path: str, body: str) -> None:
    """The field is the body."""
    assert_problem(await alice.post(path, content=body), 422, "body")


@pytest.mark.parametrize("path", [ANSWERS, ACCEPT])
async def test_json_that_is_not_called_json_is_refused(alice: httpx.AsyncClient, path: str) -> None:
    """A form that another site sends in somebody's name is not read."""
    answer = await alice.post(path, content='{"text": "x"}', headers={"content-type": "text/plain"})
    assert_problem(answer, 422, "body")


@pytest.mark.parametrize("path", [ANSWERS, ACCEPT])
async def test_an_empty_body_is_refused(alice: httpx.AsyncClient, path: str) -> None:
    """Where there has to be one."""
    assert_problem(await alice.post(path), 422, "body")


async def test_a_body_over_64_kib_is_refused(alice: httpx.AsyncClient) -> None:
    """Announced or not; one of exactly 64 KiB is read."""

    async def in_parts(size: int) -> AsyncIterator[bytes]:
        yield b'{"text": "x"'
        for _ in range((size - 13) // 1_000):
            yield b" " * 1_000
        yield b" " * ((size - 13) % 1_000) + b"}"

    for content in (b"".join([part async for part in in_parts(64 * 1024)]), in_parts(64 * 1024)):
        assert (await alice.post(ANSWERS, content=content)).status_code == 503
    for content in (b"".join([part async for part in in_parts(64 * 1024 + 1)]), in_parts(64 * 1024 + 1)):
        assert_problem(await alice.post(ANSWERS, content=content), 413, "body")


def cursor(*key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


BAD_CURSORS = {
    "empty": "",
    "garbage": "garbage!",
    "not base64": "a",
    "not ASCII": "\xe9",
    "base64 of no JSON": base64.urlsafe_b64encode(b"no JSON").decode(),
    "JSON that is no list": base64.urlsafe_b64encode(b'{"a": 1}').decode(),
    "nested": base64.urlsafe_b64encode(b"[" * 300).decode(),
    "of the other service's list": cursor("0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f"),
    "too long a key": cursor("2026-03-01", "0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f", "more"),
    "numbers": cursor(2026, 3),
    "null": cursor(None, None),
    "no date": cursor("today", "0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f"),
    "half a surrogate pair": cursor("\ud800", "\ud800"),
    "no such date": cursor("2026-02-30", "0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f"),
    "no id": cursor("2026-03-01", "id"),
    "the wrong way round": cursor("0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f", "2026-03-01"),
}


@pytest.mark.parametrize("path", ["/daily-connections", "/suggestions"])
async def test_a_bad_cursor_is_refused(alice: httpx.AsyncClient, path: str) -> None:
    """Garbage, another list's, and the right shape with the wrong things in it."""
    for bad in BAD_CURSORS.values():
        assert_problem(await alice.get(path, params={"cursor": bad}), 400, "cursor")
    assert_problem(await alice.get(path, params={"cursor": "x" * 513}), 422, "cursor")
    good = cursor("2026-03-01", "0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f")
    assert (await alice.get(path, params={"cursor": good})).status_code == 503


@pytest.mark.parametrize("path", ["/daily-connections", "/suggestions"])
@pytest.mark.parametrize("limit", ["0", "-1", "201", "many", "1.5", ""])
async def test_a_bad_limit_is_refused(alice: httpx.AsyncClient, path: str, limit: str) -> None:
    """A page has 1 to 200 items."""
    assert_problem(await alice.get(path, params={"limit": limit}), 422, "limit")


@pytest.mark.parametrize("connection", ["today", "7", "0198c5a2", "0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f'"])
async def test_a_daily_connection_that_is_no_id_is_refused(alice: httpx.AsyncClient, connection: str) -> None:
    """The field is the part of the path."""
    answer = await alice.post(f"/daily-connections/{connection}/answers", json={"text": "x"})
    assert_problem(answer, 422, "connection_id")


@pytest.mark.parametrize("path", [ANSWERS, ACCEPT, INVITES])
@pytest.mark.parametrize("key", ["", "k" * 129])
async def test_a_bad_idempotency_key_is_refused(alice: httpx.AsyncClient, path: str, key: str) -> None:
    """It has 1 to 128 characters."""
    body = {"text": "x", "code": "x"}
    assert_problem(await alice.post(path, json=body, headers={"Idempotency-Key": key}), 422, "Idempotency-Key")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/partnership", 405)])
async def test_an_unknown_path_or_method_is_a_problem_too(
    alice: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """So a client needs to know one form of error."""
    answer = await alice.request(method, path)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
