"""What is left of a system that was stopped, or killed, when it is started again: everything."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from devstack.processes import running
from devstack.trees import alive
from devstack.waiting import until
from tests.system.conftest import People, Runner, new_settings
from tests.system.device import names
from tests.system.system import System

Ending = Callable[[Runner], Awaitable[None]]


@pytest.fixture(scope="module")
async def runner(server_dir: Path) -> AsyncIterator[tuple[Runner, System]]:
    """A system of its own, with its runner."""
    settings = new_settings(server_dir / "restart")
    async with running(Runner(settings)) as child, System.at(settings) as system:
        yield child, system


async def ctrl_c(runner: Runner) -> None:
    """Ctrl-C at the terminal."""
    os.kill(runner.pid, signal.SIGINT)
    assert await runner.wait() == 0


async def kill_9(runner: Runner) -> None:
    """SIGKILL for every process at once. Frozen before, none gets to do anything about the end of another."""
    processes = psutil.Process(runner.pid).children(recursive=True)
    assert len(processes) > 6, "two servers, PostgreSQL's own processes, three services"
    runner.freeze()
    await runner.kill()
    assert await runner.wait() == -signal.SIGKILL
    assert await until(lambda: not any(alive(process) for process in processes), within=10)


@pytest.mark.parametrize("end", [ctrl_c, kill_9])
async def test_state_survives_and_a_device_gets_what_it_missed(runner: tuple[Runner, System], end: Ending) -> None:
    """The last writes are answered just before the end, so what follows from them may not have happened yet."""
    child, system = runner
    people = People(system)
    alice, bob = await people.partners()
    stranger = people.someone("mallory")
    async with system.device(bob) as his, system.device(stranger) as theirs:
        old = await system.item(bob, "old")
        await his.event("inbox:unread")
        cursor, strangers_cursor = his.cursor, theirs.cursor
    missed = await system.item(bob, "missed")
    answer = await system.answer(alice)

    await end(child)
    await child.start()

    async with system.device(bob, **cursor) as his, system.device(stranger, **strangers_cursor) as theirs:
        assert his.hello["data"]["resumed"] is True
        assert his.hello["data"]["epoch"] == cursor["epoch"]
        created = await his.event("inbox:created", sender_id=alice)
        await his.event("inbox:unread", unread_count=3)
        assert created["data"]["body"] == answer["text"]
        again = await system.answer(bob)
        assert (await his.event("connection_answer:created", answer=again))["data"]["connection"]["answers"] == [
            answer,
            again,
        ]
        of_bob, of_stranger = await system.heard(his, theirs)
        assert (theirs.hello["data"]["resumed"], of_stranger) == (True, [])
        items = [frame["data"] for frame in of_bob if frame["event"] == "inbox:created"]
        assert [item["id"] for item in items] == [missed["id"], created["data"]["id"]]
        assert names(of_bob).count("connection_answer:created") == 2
    inbox = await system.get(f"{system.inbox}/items", bob)
    there = [item for item in inbox["items"] if item["kind"] != "fence"]
    assert there == [created["data"], missed, old]
