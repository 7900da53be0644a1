"""The runner of `make run`, with the real servers and stand-ins for the services."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from devstack.postgres import Postgres
from devstack.processes import Child, running
from devstack.trees import alive
from devstack.waiting import until

Stack = Callable[..., Child]

STAND_IN_STACK = Path(__file__).with_name("stand_in_stack.py")


@pytest.fixture
def lines() -> list[str]:
    """What the runner under test has printed."""
    return []


def descendants(runner: Child) -> list[psutil.Process]:
    """Every process that the runner has started, directly or not."""
    return psutil.Process(runner.pid).children(recursive=True)


def the_one(processes: list[psutil.Process], word: str) -> psutil.Process:
    """The process with a word in its command line."""
    [found] = [process for process in processes if any(word in part for part in process.cmdline())]
    return found


async def all_end(processes: list[psutil.Process], *, within: float = 5) -> bool:
    """Whether all processes end in time."""
    return await until(lambda: not any(alive(process) for process in processes), within=within)


async def send(runner: Child, number: signal.Signals) -> float:
    """Send the runner a signal; return how many seconds it took to end."""
    before = time.monotonic()
    os.kill(runner.pid, number)
    await runner.wait()
    return time.monotonic() - before


async def test_the_first_start_makes_everything_and_the_second_takes_less_than_10_s(
    stack: Stack, lines: list[str], data_dir: Path
) -> None:
    async with running(stack(lines, DATA_DIR=str(data_dir / "not" / "yet"))) as runner:
        await runner.stop()
        before = time.monotonic()
        await runner.start()
        assert time.monotonic() - before < 10


async def test_the_last_lines_are_sample_commands_and_the_address(
    stack: Stack, lines: list[str], stack_environment: Mapping[str, str]
) -> None:
    async with running(stack(lines)):
        inbox, connection = (stack_environment[name] for name in ("INBOX_PORT", "CONNECTION_PORT"))
        assert lines[-1] == f"Tandem is running: http://127.0.0.1:{inbox}/  (Ctrl-C stops everything)"
        commands = "\n".join(lines[-7:])
        assert f"http://127.0.0.1:{connection}/dev/token" in commands
        assert f"http://127.0.0.1:{inbox}/v1/inbox/items" in commands
        assert f"make psql DB=inbox DATA_DIR={stack_environment['DATA_DIR']}" in commands
        assert "inbox      | migrating" in lines
        assert "push       | stand-in is up" in lines


async def test_the_services_learn_where_everything_is(stack: Stack, stack_environment: Mapping[str, str]) -> None:
    async with running(stack([])) as runner, httpx.AsyncClient() as client:
        port = stack_environment["PUSH_PORT"]
        told = (await client.get(f"http://127.0.0.1:{port}/environment")).raise_for_status().json()
        ports = {name: value for name, value in stack_environment.items() if name.endswith("_PORT")}
        inbox, connection = ports["INBOX_PORT"], ports["CONNECTION_PORT"]
        expected = ports | {
            "HOST": "127.0.0.1",
            "NATS_URL": f"nats://127.0.0.1:{ports['NATS_PORT']}",
            "AUTH_DEV": "1",
            "ALLOWED_ORIGINS": f"http://127.0.0.1:{inbox},http://localhost:{inbox}",
            "CONNECTION_URL": f"http://127.0.0.1:{connection}",
            "PUSH_URL": f"ws://127.0.0.1:{port}/v1/push",
            "LOG_LEVEL": "DEBUG",
        }
        assert {name: told.get(name) for name in expected} == expected
        assert len(told["AUTH_SECRET"]) >= 32
        for database in ("inbox", "connection"):
            url = told[f"{database.upper()}_DATABASE_URL"]
            assert url.startswith(f"postgresql+asyncpg://postgres@/{database}?host=")
        secret = told["AUTH_SECRET"]
        await runner.restart()
        told = (await client.get(f"http://127.0.0.1:{port}/environment")).raise_for_status().json()
        assert told["AUTH_SECRET"] == secret


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_everything_in_order_and_is_no_failure(
    stack: Stack, lines: list[str], number: signal.Signals
) -> None:
    async with running(stack(lines)) as runner:
        processes = descendants(runner)
        assert await send(runner, number) < 5
        assert await runner.wait() == 0
        assert not any(alive(process) for process in processes)
        nats, postgres = (
            next(i for i, line in enumerate(lines) if said in line) for said in ("Server Exiting", "is shut down")
        )
        assert nats < postgres < len(lines) - 1
        assert lines[-1].startswith("Tandem has stopped")


async def test_ctrl_c_takes_less_than_5_s_with_everything_frozen_and_a_service_that_ignores_it(stack: Stack) -> None:
    async with running(stack([], "--stubborn")) as runner:
        processes = descendants(runner)
        for process in processes:
            if "stand_in_service" not in " ".join(process.cmdline()):
                process.suspend()
        assert await send(runner, signal.SIGINT) < 5
        assert await runner.wait() == 0
        assert await all_end(processes, within=0.5)


async def test_a_second_ctrl_c_changes_nothing(stack: Stack, lines: list[str]) -> None:
    async with running(stack(lines, "--stubborn")) as runner:
        processes = descendants(runner)
        os.kill(runner.pid, signal.SIGINT)
        assert await until(lambda: len([process for process in processes if alive(process)]) < len(processes), within=5)
        assert await send(runner, signal.SIGINT) < 5
        assert await runner.wait() == 0
        assert not any(alive(process) for process in processes)
        assert any("database system is shut down" in line for line in lines)


def test_everything_stops_in_order_although_nobody_reads_the_output_any_more(
    stack_environment: Mapping[str, str],
) -> None:
    """What Ctrl-C does to `make run | tee log`: tee is gone first."""
    command = [sys.executable, str(STAND_IN_STACK)]
    with subprocess.Popen(
        command, env={**os.environ, **stack_environment}, stdout=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout is not None
        assert any(line.startswith("Tandem is running") for line in iter(runner.stdout.readline, ""))
        processes = psutil.Process(runner.pid).children(recursive=True)
        runner.stdout.close()
        runner.send_signal(signal.SIGINT)
        assert runner.wait(5) == 0
    assert not any(alive(process) for process in processes)
    assert not Path(stack_environment["DATA_DIR"], "postgres", "postmaster.pid").exists()  # it was not killed


async def test_ctrl_c_during_the_start_stops_what_was_started(stack: Stack, lines: list[str]) -> None:
    runner = stack(lines)
    await runner.spawn()
    assert await until(lambda: any("nats" in line for line in lines), within=10)
    processes = descendants(runner)
    assert await send(runner, signal.SIGINT) < 5
    assert await runner.wait() == 0
    assert not any(alive(process) for process in processes)
    async with running(stack(lines)):
        assert lines[-1].startswith("Tandem is running")


async def test_a_service_that_dies_stops_all_and_is_named_with_its_exit_code(
    stack: Stack, lines: list[str], stack_environment: Mapping[str, str]
) -> None:
    async with running(stack(lines)) as runner:
        processes = descendants(runner)
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.TransportError):
                await client.get(f"http://127.0.0.1:{stack_environment['PUSH_PORT']}/die?42")
        assert await runner.wait() == 1
        assert lines[-1] == "tandem: push ended with exit code 42; everything has been stopped"
        assert not any(alive(process) for process in processes)


@pytest.mark.parametrize(("word", "name"), [("nats-server", "nats"), ("bin/postgres", "postgres")])
async def test_a_server_that_is_killed_stops_all_and_is_named_with_the_signal(
    stack: Stack, lines: list[str], word: str, name: str
) -> None:
    async with running(stack(lines)) as runner:
        processes = descendants(runner)
        the_one(processes, word).kill()
        assert await runner.wait() == 1
        assert lines[-1] == f"tandem: {name} was killed by SIGKILL; everything has been stopped"
        assert await all_end(processes)


async def test_a_service_that_ends_before_it_is_ready_stops_all(stack: Stack, lines: list[str]) -> None:
    runner = stack(lines, "--inbox-exits", "0")
    await runner.spawn()
    assert await runner.wait() == 1
    assert lines[-1] == "tandem: inbox ended with exit code 0; everything has been stopped"


async def test_a_migration_that_fails_stops_all(stack: Stack, lines: list[str]) -> None:
    runner = stack(lines, "--migration-exits", "5")
    await runner.spawn()
    assert await runner.wait() == 1
    assert lines[-1].startswith("tandem: the migration of ")
    assert lines[-1].endswith(" ended with exit code 5; everything has been stopped")
    assert not any("stand-in is up" in line for line in lines)


@pytest.mark.parametrize("variable", ["INBOX_PORT", "CONNECTION_PORT", "PUSH_PORT", "NATS_PORT"])
async def test_a_port_in_use_is_one_line_and_exit_1(
    stack: Stack, lines: list[str], stack_environment: Mapping[str, str], variable: str
) -> None:
    port = int(stack_environment[variable])
    with socket.create_server(("127.0.0.1", port)):
        runner = stack(lines)
        await runner.spawn()
        assert await runner.wait() == 1
    [line] = lines
    assert line.startswith(f"tandem: port {port} ({variable}) is in use: ")


async def test_what_a_killed_runner_left_on_a_port_is_waited_for(
    stack: Stack, lines: list[str], stack_environment: Mapping[str, str], stack_home: Path
) -> None:
    lock = stack_home / "data" / "runner.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("12345")  # what a killed one leaves
    runner = stack(lines)
    with socket.create_server(("127.0.0.1", int(stack_environment["PUSH_PORT"]))):
        await runner.spawn()
        assert await until(lambda: lock.read_text() == str(runner.pid), within=10)
        assert lines == []
    await runner.wait_ready()


async def test_a_wrong_variable_is_one_line_and_exit_2(stack: Stack, lines: list[str]) -> None:
    runner = stack(lines, PUSH_PORT="eight")
    await runner.spawn()
    assert await runner.wait() == 2
    assert lines == ["tandem: PUSH_PORT='eight' is not a port: give a number from 1 to 65535"]


async def test_a_second_runner_in_the_same_directory_is_one_line_and_exit_1(stack: Stack, lines: list[str]) -> None:
    async with running(stack([])) as first:
        second = stack(lines)
        await second.spawn()
        assert await second.wait() == 1
        [line] = lines
        assert "is in use by another `make run`" in line
        assert f"(process {first.pid})" in line
        assert first.running


@pytest.mark.parametrize("everything", [True, False], ids=["everything", "the runner"])
async def test_after_kill_9_no_process_is_left_and_the_next_run_has_the_data(
    stack: Stack,
    lines: list[str],
    stack_environment: Mapping[str, str],
    everything: bool,
    request: pytest.FixtureRequest,
) -> None:
    postgres = Postgres(Path(stack_environment["DATA_DIR"], "postgres"))
    async with running(stack(lines)) as runner:
        connection = await asyncpg.connect(postgres.url("inbox").replace("+asyncpg", ""))
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (word text); TRUNCATE kept")
        await connection.execute("INSERT INTO kept VALUES ($1)", request.node.name)
        await connection.close()
        processes = descendants(runner)
        os.kill(runner.pid, signal.SIGKILL)
        if everything:
            for process in processes:
                if alive(process):
                    process.kill()
        lines.clear()
        async with running(stack(lines)):  # at once: it has to wait for what is left of the first one
            assert not any(alive(process) for process in processes)
            connection = await asyncpg.connect(postgres.url("inbox").replace("+asyncpg", ""))
            assert await connection.fetchval("SELECT word FROM kept") == request.node.name
            await connection.close()
