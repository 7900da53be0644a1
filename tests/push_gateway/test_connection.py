"""One connection over a real socket, with an owner that takes its time."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from websockets.http11 import Request

from chassis.auth import Claims
from contracts.frames import PATH
from contracts.subjects import user_id
from devstack.ports import HOST
from devstack.waiting import until
from push_gateway.connection import BEHIND, PushConnection
from push_gateway.errors import Draining
from push_gateway.session import Check, Session
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.raw_client import closed_with, frame_bytes

HEAD = (
    f"GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()

CLAIMS = Claims("alice", frozenset(), expires_at=2e9)

UNMASKED = b"\x81\x02{}"


class Patient:
    """Does nothing of itself; holds the one connection and what was asked on it."""

    def __init__(self) -> None:
        self.connection: PushConnection | None = None
        self.request: Request | None = None
        self.is_behind = self.has_gone = False
        self.client: asyncio.StreamWriter | None = None

    def connected(self, connection: PushConnection) -> None:
        self.connection = connection

    def asked(self, _: PushConnection, request: Request) -> None:
        self.request = request

    def behind(self, _: PushConnection) -> None:
        self.is_behind = True

    def caught_up(self, _: PushConnection) -> None:
        self.is_behind = False

    def gone(self, _: PushConnection) -> None:
        self.has_gone = True


@pytest.fixture
async def patient() -> Patient:
    """The owner."""
    return Patient()


@pytest.fixture
async def port(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Where it listens; it waits less for clients than in earnest."""
    monkeypatch.setattr("push_gateway.connection.CLOSE_TIMEOUT", 0.2)
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: PushConnection(patient, loop), HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]
        assert patient.client is not None
        patient.client.close()


async def asked(patient: Patient, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client whose request has come in."""
    reader, writer = await asyncio.open_connection(HOST, port)
    patient.client = writer
    writer.write(HEAD)
    assert await until(lambda: patient.request is not None, within=PATIENCE)
    return reader, writer


async def test_who_breaks_the_protocol_while_it_waits_gets_no_socket(patient: Patient, port: int) -> None:
    """Its end of the connection is closed already when its turn comes."""
    reader, writer = await asked(patient, port)
    writer.write(UNMASKED)
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
    assert patient.connection is not None
    assert patient.request is not None
    assert not patient.connection.accept(patient.request)
    assert await until(lambda: patient.has_gone, within=PATIENCE)


async def spoken(patient: Patient, port: int, check: Check) -> tuple[Session, list[Session], asyncio.StreamReader]:
    """A session whose client has asked to renew its token, and which sessions were renewed; `check` checks it."""
    reader, writer = await asked(patient, port)
    assert patient.connection is not None
    assert patient.request is not None
    assert patient.connection.accept(patient.request)
    renewed: list[Session] = []
    session = Session(patient.connection, user_id("alice"), CLAIMS, None, check, renewed.append)
    patient.connection.listen(session.hear)
    writer.write(frame_bytes(1, b'{"op":"auth","token":"t"}'))
    return session, renewed, reader


async def test_a_renewal_that_is_under_way_when_its_client_goes_is_given_up(patient: Patient, port: int) -> None:
    """Nobody is there any more whose token could be counted."""
    begun, known = asyncio.Event(), asyncio.Event()

    async def slow(_: str) -> Claims:
        begun.set()
        await known.wait()
        return CLAIMS

    session, renewed, reader = await spoken(patient, port, slow)
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        session.forget()
        known.set()
        session.end(Draining("that is all"))
        await reader.read()
    assert renewed == []


async def test_a_renewal_that_fails_in_a_way_nobody_thought_of_ends_the_socket(patient: Patient, port: int) -> None:
    """1013: the client comes back, and is not left with a token that ends unseen."""

    async def broken(_: str) -> Claims:
        raise LookupError("nobody thought of this")

    _, renewed, reader = await spoken(patient, port, broken)
    async with asyncio.timeout(PATIENCE):
        assert closed_with(1013, await reader.read())
    assert renewed == []


async def test_who_hangs_up_and_takes_nothing_is_cut(patient: Patient, port: int) -> None:
    """Else what waits for it would be kept as long as it likes."""
    _, writer = await asked(patient, port)
    assert patient.connection is not None
    assert patient.request is not None
    assert patient.connection.accept(patient.request)
    while patient.connection.unsent <= BEHIND:
        patient.connection.write(b"x" * BEHIND)
        await asyncio.sleep(0)
    writer.write_eof()
    assert await until(lambda: patient.has_gone, within=PATIENCE)


async def test_who_takes_less_than_it_is_sent_is_behind_until_it_has_taken_it(patient: Patient, port: int) -> None:
    """By more than may wait for everybody without being counted."""
    reader, _ = await asked(patient, port)
    assert patient.connection is not None
    assert patient.request is not None
    assert patient.connection.accept(patient.request)
    sent = 0
    async with asyncio.timeout(PATIENCE):
        while not patient.is_behind:
            assert patient.connection.unsent <= BEHIND
            patient.connection.write(b"x" * 1000)
            sent += 1000
            await asyncio.sleep(0)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(sent)
    assert await until(lambda: not patient.is_behind, within=PATIENCE)
