"""What every service answers over HTTP when something is wrong, over real connections."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from chassis.errors import Conflict, NotFound
from chassis.fields import StorableObject, Text
from chassis.http import create_app

Serve = Callable[[FastAPI], Awaitable[httpx.AsyncClient]]

PROBLEM = "application/problem+json"
ORIGIN = "https://tandem.example"


class Thing(BaseModel):
    """What is posted."""

    note: Text = Field(max_length=10)
    data: StorableObject = Field(default_factory=dict)
    sizes: dict[str, int] = Field(default_factory=dict)


@pytest.fixture(scope="module")
async def client(serve: Serve) -> httpx.AsyncClient:
    """The client of an application in which much can go wrong."""
    app = create_app("Things", version="1", checks={}, allowed_origins=[ORIGIN])

    @app.post("/things", status_code=201)
    async def create(thing: Thing) -> Thing:
        return thing

    @app.get("/things/{number}")
    async def one(number: int, limit: Annotated[int, Query(ge=1)] = 1) -> int:
        if number == 404:
            raise NotFound("there is no such thing")
        if number == 409:
            raise Conflict("there is one already", field="number", first="408")
        return number * limit

    @app.get("/fails")
    async def fails() -> None:
        raise LookupError("a secret reason")

    @app.get("/away")
    async def away() -> None:
        raise ConnectionRefusedError("nobody listens")

    return await serve(app)


def problem(response: httpx.Response) -> dict[str, Any]:
    """The body of a problem answer, which says what the status line and the headers say."""
    assert response.headers["content-type"] == PROBLEM
    body: dict[str, Any] = response.json()
    assert (body["type"], body["status"]) == ("about:blank", response.status_code)
    assert body["title"]
    assert body["detail"]
    return body


def fields(response: httpx.Response) -> list[str]:
    return [error["field"] for error in problem(response)["errors"]]


async def test_what_is_right_is_answered(client: httpx.AsyncClient) -> None:
    """The twin of everything below."""
    response = await client.post("/things", json={"note": " a ", "data": {"b": [1, None, "☂"]}})
    assert response.status_code == 201
    assert response.json() == {"note": "a", "data": {"b": [1, None, "☂"]}, "sizes": {}}


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, ["note"]),
        ({"note": 7}, ["note"]),
        ({"note": " \t\u2003 "}, ["note"]),
        ({"note": "a" * 11}, ["note"]),
        ({"note": "a\x00b"}, ["note"]),
        ({"note": "a\ud800b"}, ["note"]),
        ({"note": "a", "data": []}, ["data"]),
        ({"note": "a", "data": {"b": ["\ud800"]}}, ["data"]),
        ({"note": "a", "data": {"\ud800": 1}}, ["data"]),
        ({"note": "a", "sizes": {"b": "x"}}, ["sizes.b"]),
        ({"note": "", "data": 7}, ["note", "data"]),
        ([], ["body"]),
        ("text", ["body"]),
    ],
)
async def test_a_wrong_value_is_422_and_each_field_is_named(
    client: httpx.AsyncClient, body: object, wrong: list[str]
) -> None:
    """All of them at once, with what is wrong with each."""
    response = await client.post("/things", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert fields(response) == wrong
    assert all(error["detail"] for error in problem(response)["errors"])


async def test_a_key_that_is_no_unicode_is_422_and_not_our_fault(client: httpx.AsyncClient) -> None:
    """It stands in the name of the field, and yet the answer can be read."""
    content = rb'{"note": "a", "sizes": {"\ud800": "x"}}'
    response = await client.post("/things", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert fields(response)[0].startswith("sizes.")


@pytest.mark.parametrize(
    "body", [b"", b"not missing", b'{"note": "a"', b'{"note": "\xff"}', b"[" * 50_000, b"1" * 5_000]
)
async def test_a_body_that_cannot_be_parsed_names_the_body(client: httpx.AsyncClient, body: bytes) -> None:
    """400; none at all is the one value that is missing, 422."""
    response = await client.post("/things", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == (400 if body else 422)
    assert fields(response) == ["body"]


async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient) -> None:
    """Of the path and of the query."""
    response = await client.get("/things/seven", params={"limit": 0})
    assert response.status_code == 422
    assert fields(response) == ["number", "limit"]


async def test_a_problem_says_more_where_there_is_more_to_say(client: httpx.AsyncClient) -> None:
    """Further members of the object, and the field."""
    response = await client.get("/things/409")
    assert (response.status_code, fields(response)) == (409, ["number"])
    assert problem(response)["first"] == "408"
    response = await client.get("/things/404")
    assert response.status_code == 404
    assert "errors" not in problem(response)


async def test_an_unknown_path_is_404_and_a_wrong_method_405(client: httpx.AsyncClient) -> None:
    """As problems, and with the methods that there are."""
    assert (await client.get("/nowhere")).status_code == 404
    problem(await client.get("/nowhere"))
    response = await client.delete("/things")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    problem(response)


async def test_what_fails_is_500_with_the_id_under_which_the_log_has_it(client: httpx.AsyncClient) -> None:
    """The reason stands in the log, and only there."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        response = await client.get("/fails", headers={"X-Request-Id": "mine", "Origin": ORIGIN})
    assert response.status_code == 500
    assert problem(response)["request_id"] == response.headers["x-request-id"] == "mine"
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "secret" not in response.text
    (line,) = [line for line in lines if line["event"] == "a request failed"]
    assert (line["request_id"], line["log_level"], str(line["exc_info"])) == ("mine", "error", "a secret reason")
    assert (await client.get("/healthz")).status_code == 200


async def test_what_is_away_is_503_and_says_when_to_come_back(client: httpx.AsyncClient) -> None:
    """It is nobody's fault, and trying again may help."""
    with capture_logs() as lines:
        response = await client.get("/away")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    problem(response)
    assert [line["log_level"] for line in lines] == ["warning"]
