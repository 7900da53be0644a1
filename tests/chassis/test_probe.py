"""The health check of a container."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chassis import probe
from devstack.ports import HOST, free_port


@pytest.fixture
async def answering() -> AsyncIterator[str]:
    """A server that answers 200 on `/readyz`, and 503 elsewhere."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        status = b"200 OK" if request.startswith(b"GET /readyz ") else b"503 Service Unavailable"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwords")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOST, free_port())
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http://{HOST}:{port}"


async def test_an_answer_of_200_is_well(answering: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing has to be said."""
    assert await asyncio.to_thread(probe.main, [f"{answering}/readyz"]) == 0
    assert capsys.readouterr() == ("", "")


async def test_any_other_answer_is_not_and_is_shown(answering: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`docker inspect` shows what a health check says: which of the things that a service needs is missing."""
    assert await asyncio.to_thread(probe.main, [f"{answering}/elsewhere"]) == 1
    assert capsys.readouterr().out == "503 words\n"


async def test_no_answer_is_not_well_either(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody listens there."""
    assert await asyncio.to_thread(probe.main, [f"http://{HOST}:{free_port()}/readyz"]) == 1
    assert "refused" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["file:///etc/passwd"], ["http://a", "http://b"]])
def test_it_asks_one_url_of_http(arguments: list[str]) -> None:
    """What it cannot ask is a mistake in the check, not in the service."""
    assert probe.main(arguments) == 2
