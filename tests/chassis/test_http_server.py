"""How requests come in and answers go out, whatever they are about: limits, ids, origins, readiness, the end."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Request
from fastapi.responses import StreamingResponse

import chassis.http
from chassis.http import BODY_MAX, GRACE, KEEP_ALIVE, REQUEST_ID_MAX, HttpServer, create_app
from chassis.process import listen
from devstack.ports import HOST, free_port, refusal
from devstack.waiting import until

ORIGIN = "https://tandem.example"


class Server:
    """An application on a port of its own. `healthy` is what its readiness depends on."""

    def __init__(self) -> None:
        self.healthy = True
        self.entered, self.leave = asyncio.Event(), asyncio.Event()
        self.port = free_port()
        self.app = create_app("Things", version="1", checks={"thing": self.check}, allowed_origins=[ORIGIN])
        self.app.add_api_route("/length", self.length, methods=["POST"])
        self.app.add_api_route("/slow", self.slow)
        self.app.add_api_route("/breaks-off", self.breaks_off)

    async def check(self) -> bool:
        return self.healthy

    async def length(self, request: Request) -> int:
        return len(await request.body())

    async def breaks_off(self) -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "the first part"
            raise LookupError("of the second")

        return StreamingResponse(pieces())

    async def slow(self) -> str:
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


async def test_a_body_over_the_limit_is_413_announced_or_not(client: httpx.AsyncClient, server: Server) -> None:
    """The announced one is refused before it was sent; the connection goes on."""
    head, body = await server.raw(b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (BODY_MAX + 1))
    assert head.startswith("http/1.1 413 ")
    assert "content-type: application/problem+json" in head
    assert json.loads(body)["errors"][0]["field"] == "body"

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * (BODY_MAX // 2)

    response = await client.post("/length", content=pieces())
    assert (response.status_code, response.json()["errors"][0]["field"]) == (413, "body")
    assert (await client.get("/healthz")).status_code == 200


async def test_a_body_at_the_limit_is_read_announced_or_not(client: httpx.AsyncClient) -> None:
    """In one piece or in many, it arrives whole."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * (BODY_MAX // 64)

    for content in (b" " * BODY_MAX, pieces()):
        assert (await client.post("/length", content=content)).json() == BODY_MAX


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
    response = await client.options("/length", headers={"Origin": ORIGIN, **asked})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, ORIGIN)
    answered = await client.get("/healthz", headers={"Origin": ORIGIN})
    assert "Retry-After" in answered.headers["access-control-expose-headers"]
    other = await client.options("/length", headers={"Origin": "https://other.example", **asked})
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


async def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(client: httpx.AsyncClient) -> None:
    """It cannot be taken back, so the connection is cut; the next request has another one."""
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/breaks-off")
    assert (await client.get("/healthz")).status_code == 200


async def test_a_connection_is_kept_for_longer_than_proxies_and_clients_keep_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They hang up first, and never while we do. Here it is a moment, after which it is we who hang up."""
    assert KEEP_ALIVE > 60
    monkeypatch.setattr(chassis.http, "KEEP_ALIVE", 0.1)
    server = Server()
    async with server.running():
        reader, writer = await asyncio.open_connection(HOST, server.port)
        with contextlib.closing(writer):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(4):  # uvicorn's own is 5
                assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


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
