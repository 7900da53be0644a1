"""What the demo page may do to the running system, and what nobody may."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping

import httpx
import psutil
import pytest

from devstack.processes import Child, running
from devstack.trees import alive
from devstack.waiting import until

Stack = Callable[..., Child]


class Controlled:
    """A running system with its control."""

    def __init__(self, runner: Child, http: httpx.AsyncClient, environment: Mapping[str, str], control: str) -> None:
        self.runner = runner
        self.http = http
        self.control = control
        self.origin = f"http://127.0.0.1:{environment['INBOX_PORT']}"
        self.gateway = f"http://127.0.0.1:{environment['PUSH_PORT']}"

    async def restart(self, body: object, origin: str | None = None) -> httpx.Response:
        """Ask for a restart, as a page of `origin` does it or as no page does."""
        headers = {"Origin": origin} if origin else {}
        return await self.http.post(f"{self.control}/gateway/restart", json=body, headers=headers)

    async def may(self, origin: str) -> httpx.Response:
        """What a browser is told that asks whether a page of `origin` may do it."""
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        return await self.http.options(f"{self.control}/gateway/restart", headers={"Origin": origin, **asked})

    async def up(self) -> bool:
        """Whether the gateway answers."""
        try:
            return (await self.http.get(f"{self.gateway}/readyz")).is_success
        except httpx.TransportError:
            return False

    async def down(self) -> bool:
        """Whether it does not."""
        return not await self.up()

    def processes(self) -> dict[str, psutil.Process]:
        """The processes of the system by their command lines; only those of one service each, so PostgreSQL's not."""
        children = psutil.Process(self.runner.pid).children()
        return {" ".join(child.cmdline()): child for child in children}

    def the_gateway(self) -> psutil.Process:
        """Its present process."""
        port = self.gateway.rpartition(":")[2]
        [found] = [process for command, process in self.processes().items() if command.endswith(f" {port}")]
        return found


@pytest.fixture
async def system(stack: Stack, stack_environment: Mapping[str, str]) -> AsyncIterator[Controlled]:
    """A system with stand-ins for the services, which are told where the control is."""
    async with running(stack([])) as runner, httpx.AsyncClient(timeout=20) as http:
        told = await http.get(f"http://127.0.0.1:{stack_environment['INBOX_PORT']}/environment")
        yield Controlled(runner, http, stack_environment, told.json()["CONTROL_URL"])


async def test_the_gateway_alone_is_stopped_stays_down_and_comes_back(system: Controlled) -> None:
    """To the runner that is no death, and the answer says that it is back."""
    before, gateway = system.processes(), system.the_gateway()
    restarting = asyncio.create_task(system.restart({"down_for": 0.5}, system.origin))
    assert await until(system.down, within=5)
    down_at = time.monotonic()
    response = await restarting
    assert time.monotonic() - down_at > 0.3
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (204, system.origin)
    assert await system.up()
    assert not alive(gateway)
    assert system.the_gateway().pid != gateway.pid
    assert system.processes().keys() == before.keys()
    others = before.keys() - {" ".join(system.the_gateway().cmdline())}
    assert {before[name].pid for name in others} == {system.processes()[name].pid for name in others}
    assert len(others) == 4


async def test_it_can_be_restarted_again(system: Controlled) -> None:
    """And without a page, and without saying for how long."""
    for _ in range(2):
        assert (await system.restart({})).status_code == 204
        assert await system.up()


async def test_a_foreign_page_can_do_nothing(system: Controlled) -> None:
    """Neither with a form, which no browser asks about before, nor with a script, about which it asks."""
    gateway = system.the_gateway()
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        assert (await system.restart({}, origin)).status_code == 403
        assert "access-control-allow-origin" not in (await system.may(origin)).headers
    assert system.the_gateway().pid == gateway.pid
    answer = await system.may(system.origin)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, system.origin)


async def test_what_makes_no_sense_is_refused(system: Controlled) -> None:
    """Nobody waits for a gateway that is away for years."""
    nonsense: list[object] = [{"down_for": -1}, {"down_for": 1e9}, {"down_for": "long"}, [], None]
    for body in nonsense:
        assert (await system.restart(body)).status_code == 422


async def test_a_second_wish_is_refused_while_the_gateway_is_down(system: Controlled) -> None:
    """The first one is kept."""
    first = asyncio.create_task(system.restart({"down_for": 0.5}))
    assert await until(system.down, within=5)
    assert (await system.restart({})).status_code == 409
    assert (await first).status_code == 204


async def test_a_gateway_that_dies_after_a_restart_stops_everything(stack: Stack, system: Controlled) -> None:
    """Only the end that was wished for is none."""
    assert (await system.restart({})).status_code == 204
    with pytest.raises(httpx.TransportError):
        await system.http.get(f"{system.gateway}/die?42")
    assert await system.runner.wait() == 1


async def test_ctrl_c_while_the_gateway_is_down_stops_everything_in_time(system: Controlled) -> None:
    """Whoever waits for it to come back is told that it will not."""
    processes = psutil.Process(system.runner.pid).children(recursive=True)
    restarting = asyncio.create_task(system.restart({"down_for": 100}))
    assert await until(system.down, within=5)
    before = time.monotonic()
    os.kill(system.runner.pid, signal.SIGINT)
    assert await system.runner.wait() == 0
    assert time.monotonic() - before < 5
    assert not any(alive(process) for process in processes)
    assert (await restarting).status_code == 503
