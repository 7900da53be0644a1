"""Clients that take their time, over real connections."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from chassis.http import HttpServer, create_app
from chassis.process import listen
from devstack.ports import HOST, free_port

TIMEOUT = 0.5
"""Seconds for a whole request, here."""

PATIENCE = 15.0


class Place:
    """A server, and what its slow answer waits for."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.app = create_app("Things", version="1", checks={})
        self.app.add_api_route("/slow", self.slow, methods=["POST"])

    async def slow(self) -> str:
        self.asked.set()
        await self.answer.wait()
        return "done"

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
        writer.close()


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """A server that waits a shorter time."""
    monkeypatch.setattr("chassis.slow_clients.REQUEST_TIMEOUT", TIMEOUT)
    made = Place()
    server = asyncio.create_task(HttpServer(made.app, listen(HOST, made.port, variable="PORT")).run())
    yield made
    server.cancel()
    await asyncio.wait([server])


async def ended(reader: asyncio.StreamReader, *, within: float) -> bool:
    """Whether the server hangs up; nothing else may come."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            try:
                return await reader.read(1) == b""
            except ConnectionResetError:
                return True
    return False


@pytest.mark.parametrize(
    "begin",
    [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"POST /slow HTTP/1.1\r\nContent-Length: 60000\r\n\r\n"],
    ids=["nothing at all", "headers", "a body"],
)
async def test_a_request_that_does_not_come_to_an_end_ends_the_connection(place: Place, begin: bytes) -> None:
    """Although there is always another byte; without one, too."""
    async with place.connection() as (reader, writer):
        writer.write(begin)
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not await ended(reader, within=TIMEOUT / 10):
            if begin:
                writer.write(b"x")
        assert TIMEOUT / 2 < loop.time() - began < PATIENCE
    assert not place.asked.is_set()


async def test_a_second_request_on_a_connection_is_waited_for_no_longer_than_the_first(place: Place) -> None:
    async with place.connection() as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        while not await ended(reader, within=TIMEOUT / 10):
            writer.write(b"x")


async def test_an_answer_may_take_as_long_as_it_takes(place: Place) -> None:
    """The request is there; that the client waits is no fault of its own."""
    async with place.connection() as (reader, writer):
        writer.write(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await place.asked.wait()
        assert not await ended(reader, within=2 * TIMEOUT)
        place.answer.set()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
