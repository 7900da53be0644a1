"""Clients that want something else than a socket: to hold it up, to blow it up, or to have their token written down."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect as connect_to
from websockets.typing import Subprotocol

from contracts.frames import BEARER_PREFIX, PATH, SUBPROTOCOL
from devstack.ports import HOST
from devstack.processes import Child, running
from devstack.waiting import until
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.conftest import Connect, ConnectRaw
from tests.push_gateway.raw_client import closed_with, frame_bytes
from tests.push_gateway.stage import Events, Gateway, MonitoredNats, gateway_process, running_gateway, token_for

PING = 9

COMPRESSED = 0x40
"""The bit of a frame's head that says so (RFC 7692)."""


async def test_a_handshake_that_does_not_come_to_an_end_is_cut(
    nats: MonitoredNats, own_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although there is always another byte of it."""
    monkeypatch.setattr("push_gateway.connection.OPEN_TIMEOUT", 0.5)
    async with running_gateway(nats) as gateway:
        reader, writer = await asyncio.open_connection(HOST, gateway.port)
        writer.write(f"GET {PATH} HTTP/1.1\r\nX-Slow: ".encode())

        async def cut() -> bool:
            writer.write(b"x")
            return reader.at_eof() or reader.exception() is not None

        assert await until(cut, within=PATIENCE)
        writer.close()


async def test_a_flood_of_frames_before_there_is_a_socket_is_cut(alice: str, connect_raw: ConnectRaw) -> None:
    """There is nothing to be closed yet, and nothing is kept for later without end."""
    client = await connect_raw(alice, early=frame_bytes(PING, b"") * 100)
    assert b"hello" not in await client.read_to_end()


async def test_nothing_is_compressed_whatever_the_client_offers(gateway: Gateway, alice: str) -> None:
    """So there is nothing that a small message could blow up to."""
    offered = [Subprotocol(SUBPROTOCOL), Subprotocol(f"{BEARER_PREFIX}{token_for(alice)}")]
    url = f"ws://{HOST}:{gateway.port}{PATH}"
    async with connect_to(url, subprotocols=offered, compression="deflate", proxy=None) as socket:
        assert socket.request is not None
        assert socket.response is not None
        assert "permessage-deflate" in socket.request.headers["Sec-WebSocket-Extensions"]
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
        assert json.loads(await socket.recv())["event"] == "hello"


async def test_a_compressed_message_breaks_the_protocol(alice: str, connect_raw: ConnectRaw) -> None:
    """It is not even unpacked."""
    client = await connect_raw(alice)
    await client.send(frame_bytes(1 | COMPRESSED, b"\x00" * 100))
    assert closed_with(4400, await client.read_to_end())


async def test_a_page_of_somebody_else_cannot_use_its_visitors_token(connect: Connect, alice: str) -> None:
    """Cross-site hijacking: also a cookie, which a browser would send along, lets nobody in."""
    hijacked = await connect(alice, origin="https://evil.example")
    assert ((await hijacked.closed()).code, hijacked.frames) == (4403, [])
    headers = {"Cookie": f"token={token_for(alice)}; Authorization=Bearer {token_for(alice)}"}
    by_cookie = await connect(subprotocols=(SUBPROTOCOL,), headers=headers, origin="https://tandem.example")
    assert ((await by_cookie.closed()).code, by_cookie.frames) == (4401, [])


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
async def test_no_token_and_no_secret_is_written_to_the_log(
    nats: MonitoredNats, own_events: Events, connect: Connect, level: str
) -> None:
    """Good or bad, in a header, in the URL where it does not belong, or on the open socket."""
    lines: list[str] = []
    child, gateway = gateway_process(nats, LOG_LEVEL=level)
    child = Child("push", child.command, env=child.env, probe=gateway.is_ready, sink=lambda _, line: lines.append(line))
    good, bad = token_for("alice"), token_for("bob")[:-4] + "AAAA"
    async with running(child):
        await (await connect(to=gateway, token=good)).hello()
        await (await connect(to=gateway, token=bad)).closed()
        await (await connect(to=gateway, subprotocols=(SUBPROTOCOL,), query=f"token={good}")).closed()
        renewing = await connect(to=gateway, token=good)
        await renewing.socket.send(json.dumps({"op": "auth", "token": bad}))
        await renewing.closed()
    assert lines
    said = "\n".join(lines)
    secrets = (good, bad, good.split(".")[2], child.env["AUTH_SECRET"])
    assert not any(secret in said for secret in secrets)
