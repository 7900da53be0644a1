"""Known holes are found, and that nothing was audited is said; against a vulnerability service of the tests' own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from devstack.audit import REQUIREMENTS, audit
from devstack.ports import HOST, free_port

HASH = "0" * 64

PINNED = f"fastapi==0.1 --hash=sha256:{HASH}\nuvicorn==0.2 --hash=sha256:{HASH}\n"

HOLE = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "everybody may come in",
    "affected": [
        {
            "package": {"name": "fastapi", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0.3"}]}],
        }
    ],
}


@pytest.fixture
async def service() -> AsyncIterator[Callable[..., str]]:
    """`service(holes)` is the address of one that knows holes by package, in the way of https://osv.dev."""
    known: dict[str, object] = {}
    port = free_port()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        [length] = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
        asked = json.loads(await reader.readexactly(length))
        hole = known.get(asked["package"]["name"])
        body = json.dumps({"vulns": [hole]} if hole else {}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    def at(holes: dict[str, object]) -> str:
        known.update(holes)
        return f"http://{HOST}:{port}/v1/query"

    async with await asyncio.start_server(answer, HOST, port):
        yield at


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    """Two dependencies."""
    file = tmp_path / "requirements.txt"
    file.write_text(PINNED)
    return file


async def test_a_known_hole_fails_and_says_what_mends_it(pinned: Path, service: Callable[..., str]) -> None:
    url = service({"fastapi": HOLE})
    code, said = await asyncio.to_thread(audit, pinned, service=("-s", "osv", "--osv-url", url))
    assert (code, said) == (1, "pip-audit: fastapi 0.1 has GHSA-aaaa-bbbb-cccc; mended in 0.3")


async def test_what_has_no_known_hole_passes(pinned: Path, service: Callable[..., str]) -> None:
    url = service({})
    code, said = await asyncio.to_thread(audit, pinned, service=("-s", "osv", "--osv-url", url))
    assert (code, said) == (0, "pip-audit: 2 dependencies, no known hole")


def test_where_no_service_can_be_reached_it_is_said_and_is_no_failure(pinned: Path) -> None:
    """In one line, which nobody can take for a clean bill of health."""
    code, said = audit(pinned, service=("-s", "osv", "--osv-url", f"http://{HOST}:1/v1/query"))
    assert code == 0
    assert said.startswith("pip-audit: NOTHING WAS AUDITED, no vulnerability service answers: ")
    assert len(said.splitlines()) == 1


def test_what_is_audited_is_what_a_service_needs() -> None:
    """Every line of it is pinned by hash, without which pip-audit would refuse it."""
    assert "fastapi==" in REQUIREMENTS.read_text()
    assert "--hash=sha256:" in REQUIREMENTS.read_text()
