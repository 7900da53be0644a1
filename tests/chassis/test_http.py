"""What every service answers over HTTP when something is wrong, over real connections."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from chassis.errors import Conflict, NotFound
from chassis.fields import StorableObject, Text
from chassis.http import BODY_MAX, GRACE, REQUEST_ID_MAX, HttpServer, create_app
from chassis.process import listen
from devstack.ports import HOST, free_port, refusal
from devstack.waiting import until

PROBLEM = "application/problem+json"
ORIGIN = "https://tandem.example"


class Thing(BaseModel):
    """What is posted."""

    note: Text = Field(max_length=10)
    data: StorableObject = Field(default_factory=dict)
    sizes: dict[str, int] = Field(default_factory=dict)


class Server:
    """An application on a port of its own. `healthy` is what its readiness depends on."""

    def __init__(self) -> None:
        self.healthy = True
        self.entered, self.leave = asyncio.Event(), asyncio.Event()
        self.port = free_port()
        self.app = create_app("Things", version="1", checks={"thing": self.check}, allowed_origins=[ORIGIN])
        self.add_routes(self.app)

    async def check(self) -> bool:
        return self.healthy

    def add_routes(self, app: FastAPI) -> None:
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

        @app.get("/slow")
        async def slow() -> str:
            self.entered.set()
            await self.leave.wait()
            return "done"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        server = HttpServer(self.app, listen(HOST, self.port, variable="PORT"))
        task = asyncio.create_task(server.run())
        yield task
        task.cancel()
        await asyncio.wait([task])

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://{HOST}:{self.port}")

    async def raw(self, request: bytes) -> tuple[str, bytes]:
        """What is answered to these bytes: the status line and headers, in lower case, and the body."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        with contextlib.closing(writer):
            writer.write(request)
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
                (length,) = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: ")]
                return head.decode().lower(), await reader.readexactly(int(length.split()[1]))


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    """One for all tests but that in which it is stopped."""
    started = Server()
    async with started.running():
        yield started


@pytest.fixture(scope="module")
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """Its client."""
    async with server.client() as connected:
        yield connected


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


async def test_a_body_over_the_limit_is_413_announced_or_not(client: httpx.AsyncClient, server: Server) -> None:
    """The announced one is refused before it was sent; the connection goes on."""
    head, body = await server.raw(
        b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % (BODY_MAX + 1)
    )
    assert head.startswith("http/1.1 413 ")
    assert f"content-type: {PROBLEM}" in head
    assert json.loads(body)["errors"][0]["field"] == "body"

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * (BODY_MAX // 2)

    response = await client.post("/things", content=pieces())
    assert (response.status_code, fields(response)) == (413, ["body"])
    assert (await client.get("/healthz")).status_code == 200


async def test_a_body_at_the_limit_is_read_announced_or_not(client: httpx.AsyncClient) -> None:
    """In one piece or in many, it arrives whole."""
    body = b'{"note": "a"}'.ljust(BODY_MAX)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, BODY_MAX, 1000):
            yield body[start : start + 1000]

    for content in (body, pieces()):
        response = await client.post("/things", content=content, headers={"Content-Type": "application/json"})
        assert response.status_code == 201


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


@pytest.mark.parametrize("given", ["mine", "a-b_c:7", "x" * REQUEST_ID_MAX])
async def test_a_request_id_is_taken_over(client: httpx.AsyncClient, given: str) -> None:
    """So that a request can be followed through several services."""
    assert (await client.get("/healthz", headers={"X-Request-Id": given})).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [b"", b"x" * (REQUEST_ID_MAX + 1), b"a\xa0b", b"a\tb", b"a\x85b", b"a\xadb"])
async def test_a_request_id_that_is_too_long_or_unprintable_is_replaced(
    client: httpx.AsyncClient, server: Server, given: bytes
) -> None:
    """It would stand in every line of the log."""
    head, _ = await server.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n" % given)
    (line,) = [line for line in head.splitlines() if line.startswith("x-request-id: ")]
    assert len(line.split()[1]) == 36


async def test_each_request_without_an_id_is_given_one(client: httpx.AsyncClient) -> None:
    """A new one."""
    ids = {(await client.get(path)).headers["x-request-id"] for path in ("/healthz", "/healthz", "/nowhere")}
    assert len(ids) == 3


async def test_pages_of_the_allowed_origin_may_call_and_others_may_not(client: httpx.AsyncClient) -> None:
    """A browser asks first, and reads the headers that it needs afterwards."""
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
    response = await client.options("/things", headers={"Origin": ORIGIN, **asked})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, ORIGIN)
    answered = await client.get("/healthz", headers={"Origin": ORIGIN})
    assert "Retry-After" in answered.headers["access-control-expose-headers"]
    other = await client.options("/things", headers={"Origin": "https://other.example", **asked})
    assert other.status_code == 400
    assert "access-control-allow-origin" not in other.headers
    other = await client.get("/healthz", headers={"Origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers


async def test_it_lives_when_it_is_not_ready(client: httpx.AsyncClient, server: Server) -> None:
    """Readiness says which of the checks does not hold."""
    assert (await client.get("/readyz")).json() == {"ready": True, "thing": True}
    server.healthy = False
    response = await client.get("/readyz")
    server.healthy = True
    assert (response.status_code, response.json()) == (503, {"ready": False, "thing": False})
    assert (await client.get("/healthz")).json() == {"status": "alive"}


async def test_a_request_under_way_may_finish_when_the_server_stops() -> None:
    """And nobody is let in any more."""
    server = Server()
    async with server.running() as task, server.client() as client:
        request = asyncio.create_task(client.get("/slow"))
        await server.entered.wait()
        task.cancel()
        assert await until(lambda: refusal(server.port) is None, within=GRACE)
        assert not task.done()
        server.leave.set()
        assert (await request).json() == "done"
        await asyncio.wait([task], timeout=GRACE)
        assert task.cancelled()
