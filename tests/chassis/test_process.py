"""How a process of services lives and ends."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import pytest

from chassis.process import ServiceEnded, listen, run_together
from devstack.ports import HOST, free_port

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio
from chassis import logs, process
from chassis.settings import LogSettings

class Service:
    def __init__(self, name, ends=False, fails=False, hurts=False):
        self.name, self.ends, self.fails, self.hurts = name, ends, fails, hurts

    async def run(self):
        print(self.name, "runs", flush=True)
        if self.fails:
            raise LookupError("hunter2")
        try:
            await asyncio.Event().wait() if not self.ends else None
        finally:
            print(self.name, "ends", flush=True)
            if self.hurts:
                raise LookupError("cannot end")

async def start(stop):
    await process.run_together({services}, stop=stop)

logs.configure(LogSettings(format="json"), service="test")
process.main(start)
"""


class Service:
    """Runs until it is cancelled or told to fail, and says what happens to it."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.name = name
        self.fail = asyncio.Event()
        self._said = said

    async def run(self) -> None:
        self._said.append(f"{self.name} runs")
        try:
            await self.fail.wait()
            raise LookupError(self.name)
        finally:
            await asyncio.sleep(0)  # to end takes a while
            self._said.append(f"{self.name} ends")


@pytest.fixture
def said() -> list[str]:
    """What happened, in order."""
    return []


async def start(services: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM.format(services=services)),
        env={},
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, list[str], str]:
    """Its exit code, what its services said, and its log."""
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    return process.returncode, output.decode().splitlines(), errors.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_services_in_reverse_order_with_exit_code_0(number: signal.Signals) -> None:
    """What was put together last depends on what came before."""
    process = await start("[Service('bus'), Service('relay'), Service('http')]")
    assert process.stdout is not None
    running = [(await process.stdout.readline()).decode().strip() for _ in range(3)]
    assert running == ["bus runs", "relay runs", "http runs"]
    process.send_signal(number)
    code, said, log = await ended(process)
    assert (code, said) == (0, ["http ends", "relay ends", "bus ends"])
    assert "exception" not in log


@pytest.mark.parametrize(
    ("services", "reason"),
    [
        ("[Service('bus'), Service('relay', fails=True)]", "LookupError"),
        ("[Service('bus'), Service('relay', ends=True)]", "relay ended by itself"),
    ],
)
async def test_a_service_that_fails_or_ends_ends_the_process_with_exit_code_1(services: str, reason: str) -> None:
    """All others end with it, and the log says why, in one line."""
    code, said, log = await ended(await start(services))
    assert code == 1
    assert said[-1] == "bus ends"
    assert reason in log
    assert "Traceback" not in log
    assert len(log.splitlines()) == 1


async def test_a_service_that_cannot_end_well_is_told_of() -> None:
    """With exit code 1, although the end was asked for."""
    process = await start("[Service('bus'), Service('relay', hurts=True)]")
    assert process.stdout is not None
    await process.stdout.readline()
    await process.stdout.readline()
    process.terminate()
    code, said, log = await ended(process)
    assert (code, said) == (1, ["relay ends", "bus ends"])
    assert "cannot end" in log


async def test_draining_comes_before_the_end_of_any_service(said: list[str]) -> None:
    """They all still run then."""
    services = [Service("bus", said), Service("http", said)]
    stop = asyncio.Event()

    async def drain() -> None:
        said.append("drained")

    together = asyncio.create_task(run_together(list(services), stop=stop, drain=drain))
    stop.set()
    async with asyncio.timeout(10):
        await together
    assert said == ["bus runs", "http runs", "drained", "http ends", "bus ends"]


async def test_a_service_that_fails_while_draining_ends_all_at_once(said: list[str]) -> None:
    """Nobody waits for a drain that something is missing for."""
    services = [Service("bus", said), Service("http", said)]
    stop = asyncio.Event()
    draining = asyncio.Event()

    async def drain() -> None:
        draining.set()
        await asyncio.Event().wait()

    together = asyncio.create_task(run_together(list(services), stop=stop, drain=drain))
    stop.set()
    await draining.wait()
    services[0].fail.set()
    async with asyncio.timeout(10):
        with pytest.raises(ExceptionGroup) as failed:
            await together
    assert [str(error) for error in failed.value.exceptions] == ["bus"]
    assert sorted(said[2:]) == ["bus ends", "http ends"]


async def test_a_service_that_returns_is_named(said: list[str]) -> None:
    """Nobody asked it to."""

    class Short:
        name = "short"

        async def run(self) -> None:
            return

    with pytest.raises(ExceptionGroup) as failed:
        await run_together([Service("bus", said), Short()], stop=asyncio.Event())
    assert failed.group_contains(ServiceEnded, match="short ended by itself")
    assert said == ["bus runs", "bus ends"]


def test_a_port_that_is_taken_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    """Naming the variable and the port."""
    port = free_port()
    with socket.create_server((HOST, port)), pytest.raises(SystemExit) as refused:
        listen(HOST, port, variable="THINGS_PORT")
    assert refused.value.code == 1
    said = f"THINGS_PORT: cannot listen on {HOST}:{port}: Address already in use; choose another port\n"
    assert capsys.readouterr().err == said
    listen(HOST, port, variable="THINGS_PORT").close()


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1"])
def test_a_host_that_is_not_ours_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str], host: str) -> None:
    """It is the other variable that is wrong."""
    with pytest.raises(SystemExit) as refused:
        listen(host, free_port(), variable="THINGS_PORT")
    assert refused.value.code == 2
    said = f"HOST: {host!r} must be an IPv4 address or a name of this machine, for example 127.0.0.1\n"
    assert capsys.readouterr().err == said


async def test_a_service_whose_port_is_taken_ends_with_one_line_and_exit_code_1() -> None:
    """The whole of it, as `make run` or compose would start it."""
    port = free_port()
    environment = {"AUTH_SECRET": "a secret for tests, of 32 characters and more", "PUSH_PORT": str(port)}
    with socket.create_server((HOST, port)):
        gateway = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "push_gateway"), env=environment, cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            _, said = await gateway.communicate()
    assert gateway.returncode == 1
    assert said.decode() == f"PUSH_PORT: cannot listen on {HOST}:{port}: Address already in use; choose another port\n"
