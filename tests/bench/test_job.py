"""The benchmark of the whole job believes nobody: what is lost or goes to the wrong person is found out."""

import json
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import ServerConnection, serve

from bench.job import crowd as crowd_module
from bench.job.crowd import Crowd, Key, marked
from bench.job.wire import Call
from bench.job.work import Job, Workers
from devstack.ports import HOST, free_port

ALICE: Key = ("alice", "inbox:created", 7)


def frame(event: str, number: int) -> str:
    """A frame as both systems send it, but for what the benchmark does not look at."""
    return json.dumps({"event": event, "data": {"body": f"{marked(number)} and some words"}})


class Server:
    """Greets each socket, whose path is its user's name, and sends what it is told."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sockets: dict[str, ServerConnection] = {}

    async def serve_one(self, socket: ServerConnection) -> None:
        """Keep a socket."""
        assert socket.request is not None
        self.sockets[socket.request.path.removeprefix("/")] = socket
        await socket.send('{"event": "hello"}')
        await socket.wait_closed()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server that does what a test says."""
    running = Server(free_port())
    async with serve(running.serve_one, HOST, running.port, compression=None):
        yield running


@pytest.fixture
async def crowd(server: Server) -> AsyncIterator[Crowd]:
    """Alice and Bob, connected."""
    both = Crowd()
    for user in ("alice", "bob"):
        await both.join(user, server.port, f"/{user}", "")
    yield both
    both.leave()


async def test_a_frame_that_comes_is_timed(server: Server, crowd: Crowd) -> None:
    """Also if it comes twice, as the old design's do; only the first counts."""
    expected = crowd.expect([ALICE])
    await server.sockets["alice"].send(frame("inbox:created", 7))
    await server.sockets["alice"].send(frame("inbox:created", 7))
    assert list(await expected.all()) == [ALICE]
    crowd.check()


async def test_a_frame_that_does_not_come_is_named(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that loses one ends the run instead of looking fast."""
    monkeypatch.setattr(crowd_module, "DEADLINE", 0.05)
    with pytest.raises(TimeoutError, match="inbox:created"):
        await crowd.expect([ALICE]).all()


async def test_a_frame_for_somebody_else_is_found_out(server: Server, crowd: Crowd) -> None:
    """It does not count as the right one either."""
    expected = crowd.expect([ALICE, ("bob", "inbox:updated", 8)])
    await server.sockets["bob"].send(frame("inbox:created", 7))
    await server.sockets["bob"].send(frame("inbox:updated", 8))
    await server.sockets["alice"].send(frame("inbox:created", 7))
    await expected.all()
    with pytest.raises(ConnectionError, match="1 frames for others"):
        crowd.check()


async def test_a_socket_that_was_ended_is_found_out(server: Server, crowd: Crowd) -> None:
    """Whoever drops sockets has less to do."""
    await server.sockets["bob"].close()
    with pytest.raises(ConnectionError, match="1 sockets ended"):
        crowd.check()


async def test_a_request_that_is_refused_ends_the_run(server: Server, crowd: Crowd) -> None:
    """The port takes WebSockets only."""
    workers = Workers(crowd)
    job = Job(Call.of("POST", server.port, "/", "token", b"{}"))
    with pytest.raises(ExceptionGroup) as refused:
        await workers.flat_out([job], clients=1)
    assert refused.group_contains(ConnectionError)
    workers.close()
