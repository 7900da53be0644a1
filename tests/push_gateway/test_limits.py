"""What one client may cost, and that it costs nobody else."""

import json
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_to
from websockets.exceptions import InvalidStatus

from chassis.rates import BURST
from contracts.frames import PATH
from devstack.ports import HOST
from devstack.waiting import until
from push_gateway.settings import Settings
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.conftest import Connect, ConnectRaw
from tests.push_gateway.raw_client import closed_with, frame_bytes
from tests.push_gateway.stage import Events, Gateway, MonitoredNats, running_gateway, token_for

TEXT, PING, CLOSE = 1, 9, 8
LARGE = 100_000
"""Bytes of an event of which a few dozen fill every buffer on the way."""

ENOUGH = 500
"""Events of that size that fill them for certain."""

TOO_SLOW = 'tandem_push_refusals_total{code="4408"}'


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that waits for the end of a refused connection a shorter time."""
    monkeypatch.setattr("push_gateway.connection.CLOSE_TIMEOUT", 0.1)


async def open_sockets(gateway: Gateway) -> float:
    return await gateway.count("tandem_push_sockets ")


async def test_a_user_has_only_so_many_sockets(connect: Connect, nats: MonitoredNats, own_events: Events) -> None:
    """4429 says when to come back; another user gets in, and so does the first one when a socket has gone."""
    async with running_gateway(nats, PUSH_MAX_SOCKETS_PER_USER=2) as gateway:
        first, second = await connect("alice", to=gateway), await connect("alice", to=gateway)
        third = await connect("alice", to=gateway)
        closed = await third.closed()
        assert (closed.code, third.frames) == (4429, [])
        assert json.loads(closed.reason)["retry_after"] > 0
        await (await connect("bob", to=gateway)).hello()
        [stored] = await own_events.store("alice")
        assert await first.take(1) == await second.take(1) == [stored.frame]
        await first.leave()
        await (await connect("alice", to=gateway)).hello()


async def test_a_gateway_has_only_so_many_sockets(connect: Connect, nats: MonitoredNats, own_events: Events) -> None:
    """1013: another gateway may have room."""
    async with running_gateway(nats, PUSH_MAX_SOCKETS=2) as gateway:
        there = [await connect(user, to=gateway) for user in ("alice", "bob")]
        refused = await connect("carol", to=gateway)
        assert ((await refused.closed()).code, refused.frames) == (1013, [])
        await there[0].leave()
        await (await connect("carol", to=gateway)).hello()


async def test_a_user_connects_only_so_often(connect: Connect, nats: MonitoredNats, own_events: Events) -> None:
    """4429 says when to come back; another user from the same address gets in."""
    async with running_gateway(nats, PUSH_HANDSHAKES_PER_USER=0.05) as gateway:
        for _ in range(3):
            await (await connect("alice", to=gateway)).hello()
        refused = await connect("alice", to=gateway)
        closed = await refused.closed()
        assert (closed.code, refused.frames) == (4429, [])
        assert 0 < json.loads(closed.reason)["retry_after"] <= 20
        await (await connect("bob", to=gateway)).hello()


async def handshake(gateway: Gateway, *forwarded: str) -> tuple[int, str | None]:
    """The status of the answer to a handshake, and when to come back, if it says."""
    headers = [("X-Forwarded-For", value) for value in forwarded]
    try:
        socket = await connect_to(
            f"ws://{HOST}:{gateway.port}{PATH}", additional_headers=headers, compression=None, proxy=None
        )
    except InvalidStatus as refused:
        return refused.response.status_code, refused.response.headers.get("Retry-After")
    await socket.close()
    return 101, None


async def test_an_address_connects_only_so_often(nats: MonitoredNats, own_events: Events) -> None:
    """429 before there is a socket, whatever the client says of where it comes from; probes are answered."""
    async with running_gateway(nats, PUSH_HANDSHAKES_PER_ADDRESS=0.05) as gateway:
        assert [await handshake(gateway, f"198.51.100.{number}") for number in range(3)] == [(101, None)] * 3
        status, wait = await handshake(gateway, "198.51.100.9")
        assert status == 429
        assert 0 < int(wait or "0") <= 20
        assert (await gateway.get("/healthz"))[0] == (await gateway.get("/readyz"))[0] == 200


async def test_behind_a_trusted_proxy_each_client_has_its_own_address(nats: MonitoredNats, own_events: Events) -> None:
    """The one that the proxy saw, not what the client wrote in front of it."""
    limits: dict[str, Any] = {"PUSH_HANDSHAKES_PER_ADDRESS": 0.05, "TRUSTED_PROXIES": "10.0.0.0/8, 127.0.0.1"}
    async with running_gateway(nats, **limits) as gateway:
        for number in range(3):
            assert await handshake(gateway, f"203.0.113.{number}, 198.51.100.1, 10.0.0.7") == (101, None)
        assert (await handshake(gateway, "203.0.113.9", "198.51.100.1", "10.0.0.7"))[0] == 429
        assert await handshake(gateway, "198.51.100.2") == (101, None)


def test_the_limits_are_the_documented_ones() -> None:
    """A minute's worth of each at once."""
    settings = Settings()
    assert (settings.handshakes_per_user, settings.handshakes_per_address, BURST) == (2, 50, 60)
    assert settings.trusted_networks == ()


async def test_too_many_operations_end_the_socket(connect: Connect, alice: str) -> None:
    """4429 with the time to wait; nobody renews a token dozens of times a minute."""
    client, other = await connect(alice), await connect(alice)
    for _ in range(40):
        await client.socket.send(json.dumps({"op": "auth", "token": token_for(alice)}))
    closed = await client.closed()
    assert (closed.code, json.loads(closed.reason)["retry_after"] > 0) == (4429, True)
    assert other.open_still


@pytest.mark.parametrize(
    "flood",
    [frame_bytes(PING, b"x" * 125), frame_bytes(10, b""), frame_bytes(0, b"", fin=False)],
    ids=["pings", "pongs", "empty parts of one message"],
)
async def test_a_flood_of_frames_that_are_no_operation_ends_the_socket(
    gateway: Gateway, alice: str, flood: bytes, connect_raw: ConnectRaw
) -> None:
    """Each would cost an answer or memory, whether the client reads or not."""
    begin = frame_bytes(TEXT, b"", fin=False) if flood[0] == 0 else b""
    client = await connect_raw(alice)
    await client.send(begin + flood * 100)
    assert closed_with(4429, await client.read_to_end())


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    "last_words",
    [frame_bytes(CLOSE, b"\x03\xe8"), frame_bytes(TEXT, b"nonsense"), frame_bytes(TEXT, b"x" * 65_536), b""],
    ids=["a close", "nonsense", "too much", "nothing, with a refused token"],
)
async def test_a_client_that_does_not_hang_up_is_cut(
    gateway: Gateway, alice: str, last_words: bytes, connect_raw: ConnectRaw
) -> None:
    """It neither reads nor closes its end; its place is free again all the same."""
    before = await open_sockets(gateway)
    token = token_for(alice) if last_words else "refused"
    client = await connect_raw(alice, token=token)
    await client.send(last_words)
    assert await until(client.is_cut, within=PATIENCE)
    assert await open_sockets(gateway) <= before


async def test_a_slow_reader_is_closed_and_nobody_else_waits(
    connect: Connect, gateway: Gateway, events: Events, alice: str, bob: str, connect_raw: ConnectRaw
) -> None:
    """4408 at the limit; another device of the same user, and a neighbour, get everything in order."""
    quick, neighbour = await connect(alice), await connect(bob)
    slow = await connect_raw(alice)
    before = await gateway.count(TOO_SLOW)
    stored, for_bob = [], []
    while await gateway.count(TOO_SLOW) == before:
        stored += await events.store(alice, 5, size=LARGE)
        for_bob += await events.store(bob)
        assert len(stored) < ENOUGH, "it is never closed"
        await quick.take(len(stored))
    assert closed_with(4408, await slow.read_to_end())
    stored += await events.store(alice, 3)
    assert await quick.take(len(stored)) == [event.frame for event in stored]
    assert await neighbour.take(len(for_bob)) == [event.frame for event in for_bob]


@pytest.mark.usefixtures("_impatient")
async def test_a_slow_reader_that_goes_on_not_reading_is_cut(
    gateway: Gateway, events: Events, alice: str, connect_raw: ConnectRaw
) -> None:
    """Its close is never read either; what was kept for it is let go."""
    before = await open_sockets(gateway)
    slow = await connect_raw(alice)
    refused = await gateway.count(TOO_SLOW)
    for _ in range(ENOUGH // 5):
        if await gateway.count(TOO_SLOW) > refused:
            break
        await events.store(alice, 5, size=LARGE)
    assert await until(slow.is_cut, within=PATIENCE)
    assert await open_sockets(gateway) <= before
