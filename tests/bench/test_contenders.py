"""The contenders that need nothing but this repository work, each against the load generator."""

import asyncio
import os
import shutil
from collections.abc import Callable, Sequence

import psutil
import pytest
from websockets.asyncio.server import ServerConnection

from bench.push import processes
from bench.push.contender import Contender, Opening, Publishing, cores
from bench.push.contenders.floor import Floor
from bench.push.contenders.nats_websocket import NatsWebSocket
from bench.push.contenders.tandem import Tandem
from bench.push.plan import Plan, Visit
from bench.push.rows import Row
from bench.push.visit import Turn
from devstack.errors import StackError
from tests.bench.conftest import GREETING, Server

SOCKETS = 20
PLAN = Plan(["somebody"], rounds=1, sockets=[SOCKETS], devices=[2], seconds=0.1)

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the load generator needs a C compiler")


async def turn(contender: Contender) -> dict[str, Row]:
    """The rows of one turn, by what was measured."""
    rows: list[Row] = []
    async with asyncio.timeout(120):
        await Turn(contender, Visit(contender.name, 1, 2, PLAN.sockets), PLAN, rows.append).run(list(PLAN.sockets))
    return {row.what: row for row in rows}


@pytest.mark.parametrize("contender", [Tandem, Floor, NatsWebSocket])
async def test_a_contender_delivers_everything(contender: Callable[[], Contender]) -> None:
    """It takes all sockets, and sends each of them what it should; what that costs is taken down."""
    rows = await turn(contender())
    assert "failed" not in rows, rows["failed"].failure
    assert rows["open"].count == SOCKETS
    assert rows["flat"].count > 0
    assert not any(count for row in rows.values() for count in row.wrong.values())
    assert rows["flat"].cpu.servers > 0
    assert rows["flat"].generator > 0


async def test_two_processes_of_tandem_share_the_work() -> None:
    """Each has a part of it, and together they deliver everything."""
    one, two = await processes.measure([2], rounds=1, seconds=0.1, sockets=SOCKETS)
    assert (one.processes, two.processes) == (1, 2)
    assert one.busiest == pytest.approx(one.cpu.servers, rel=0.2)
    assert 0 < two.busiest < two.cpu.servers
    assert not any(count for row in (one, two) for count in row.wrong.values())


async def test_who_comes_back_to_tandem_is_sent_what_was_missed() -> None:
    """The others resume nobody, and have no such figure."""
    assert (await turn(Tandem()))["again"].count == SOCKETS
    assert "again" not in await turn(Floor())


class Stillborn(Floor):
    """A contender that cannot be started."""

    async def start(self, cpu: int) -> None:
        raise StackError(f"it does not want to run on core {cpu}")


async def test_a_contender_that_fails_is_taken_down_with_the_reason() -> None:
    """And the others have their turns: a turn does not raise."""
    rows = await turn(Stillborn())
    assert rows["failed"].failure == f"it does not want to run on core {cores()[0]}"


async def test_a_stopped_contender_leaves_nothing_behind() -> None:
    """Its processes are gone, and it may be stopped again."""
    contender = Tandem()
    await contender.start(cores()[0])
    pids = [*contender.servers, *contender.brokers]
    await contender.stop()
    await contender.stop()
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []


class Lying(Floor):
    """A contender whose server is the test's own."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.tested = server

    async def start(self, cpu: int) -> None:
        """It runs already."""

    @property
    def servers(self) -> Sequence[int]:
        return [os.getpid()]

    @property
    def brokers(self) -> Sequence[int]:
        return []

    def opening(self, *, resuming: bool = False) -> Opening:  # noqa: ARG002 - it resumes nobody
        return Opening(self.tested.port, "/{user}/0", GREETING)

    def publishing(self) -> Publishing:
        return Publishing("lines", self.tested.lines_port, "{user}")


async def test_what_is_done_wrong_between_the_measured_loads_is_taken_down_too(server: Server) -> None:
    """A copy of the very first event, which is only published to warm up."""
    sent = 0

    def first_one_twice(_: Server, __: ServerConnection, body: str) -> list[str]:
        nonlocal sent
        sent += 1
        return [body, body] if sent == 1 else [body]

    server.deed = first_one_twice
    rows = await turn(Lying(server))
    assert rows["end"].wrong["doubled"] == 1
    assert rows["flat"].wrong["doubled"] == 0
