"""A child's start, readiness, output and end."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from devstack.errors import ChildEnded, NotReady
from devstack.processes import Child, running
from devstack.waiting import until

FOR_EVER = "import time; time.sleep(1000)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); {FOR_EVER}"


class Collector:
    """Takes a child's lines, and makes it ready as soon as there is one."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, _name: str, line: str) -> None:
        self.lines.append(line)

    async def spoken_to(self) -> bool:
        return bool(self.lines)


@pytest.fixture
def collector() -> Collector:
    """Where the child's lines go."""
    return Collector()


@pytest.fixture
def child(collector: Collector) -> Callable[..., Child]:
    """Makes a child that runs a Python program and is ready when that has printed a line."""

    def make(program: str, grace: float = 3, ready_within: float = 10) -> Child:
        return Child(
            "child",
            [sys.executable, "-u", "-c", program],
            sink=collector,
            probe=collector.spoken_to,
            grace=grace,
            ready_within=ready_within,
        )

    return make


async def gone(pid: int) -> bool:
    """Whether a process ends soon."""

    def ended() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return await until(ended, within=5)


async def test_a_child_is_ready_when_its_probe_says_so(child: Callable[..., Child], collector: Collector) -> None:
    async with running(child(f"print('up'); {FOR_EVER}")) as ready:
        assert ready.running
        assert collector.lines == ["up"]
    assert not ready.running


async def test_a_child_that_ends_before_it_is_ready_is_named_with_its_exit_code(child: Callable[..., Child]) -> None:
    with pytest.raises(ChildEnded, match=r"^child ended with exit code 7$"):
        await child("raise SystemExit(7)").start()


async def test_a_child_that_a_signal_ended_is_named_with_the_signal(child: Callable[..., Child]) -> None:
    with pytest.raises(ChildEnded, match=r"^child was killed by SIGABRT$"):
        await child("import os; os.abort()").start()


async def test_a_child_that_does_not_become_ready_in_time_is_reported_and_can_be_stopped(
    child: Callable[..., Child],
) -> None:
    late = child(FOR_EVER, ready_within=0.2)
    with pytest.raises(NotReady, match=r"^child was not ready within 0\.2 s$"):
        await late.start()
    assert late.running
    await late.stop()
    assert not late.running


async def test_a_program_that_does_not_exist_is_exit_code_127_and_says_so(collector: Collector) -> None:
    missing = Child("missing", ["/no/such/program"], sink=collector)
    await missing.start()
    assert await missing.wait() == 127
    assert collector.lines == ["/no/such/program: No such file or directory"]


async def test_stop_lets_a_child_end_in_its_own_way(child: Callable[..., Child], collector: Collector) -> None:
    polite = child(
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(3)));"
        f" print('up'); {FOR_EVER}"
    )
    async with running(polite):
        pass
    assert await polite.wait() == 3
    assert collector.lines == ["up", "bye"]


async def test_stop_kills_a_child_that_does_not_listen(child: Callable[..., Child]) -> None:
    async with running(child(STUBBORN, grace=0.2)) as stubborn:
        pass
    assert await stubborn.wait() == -signal.SIGKILL


async def test_stop_kills_a_frozen_child(child: Callable[..., Child]) -> None:
    async with running(child(f"print('up'); {FOR_EVER}", grace=0.2)) as frozen:
        frozen.freeze()
        assert await until(lambda: psutil.Process(frozen.pid).status() == psutil.STATUS_STOPPED, within=5)
        assert frozen.running
    assert await frozen.wait() == -signal.SIGKILL


async def test_a_thawed_child_goes_on(child: Callable[..., Child], collector: Collector) -> None:
    async with running(child("import time\nwhile True: print('tick'); time.sleep(0.01)")) as ticking:
        ticking.freeze()
        assert await until(lambda: psutil.Process(ticking.pid).status() == psutil.STATUS_STOPPED, within=5)
        ticking.thaw()
        ticks = len(collector.lines)
        assert await until(lambda: len(collector.lines) > ticks + 3, within=5)


@pytest.mark.parametrize("own_session", [False, True])
async def test_kill_leaves_no_grandchild(child: Callable[..., Child], collector: Collector, own_session: bool) -> None:
    grandchild = f"subprocess.Popen([sys.executable, '-c', {FOR_EVER!r}], start_new_session={own_session})"
    async with running(child(f"import subprocess, sys; print({grandchild}.pid); {FOR_EVER}")) as parent:
        pid = int(collector.lines[0])
        assert psutil.pid_exists(pid)
        await parent.kill()
        assert await gone(pid)


async def test_a_child_that_ends_leaves_no_grandchild(child: Callable[..., Child], collector: Collector) -> None:
    grandchild = f"subprocess.Popen([sys.executable, '-c', {FOR_EVER!r}])"
    short = child(f"import subprocess, sys; print({grandchild}.pid)")
    await short.spawn()
    assert await short.wait() == 0
    assert await gone(int(collector.lines[0]))


async def test_a_restarted_child_is_a_new_process(child: Callable[..., Child]) -> None:
    async with running(child(f"print('up'); {FOR_EVER}")) as restarted:
        before = restarted.pid
        await restarted.restart()
        assert restarted.running
        assert restarted.pid != before


async def test_ctrl_c_at_the_terminal_does_not_reach_a_child(child: Callable[..., Child]) -> None:
    async with running(child(f"print('up'); {FOR_EVER}")) as apart:
        assert os.getsid(apart.pid) == os.getpgid(apart.pid) == apart.pid != os.getsid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells it")
async def test_a_child_ignores_no_signal_because_we_do(collector: Collector) -> None:
    """Python ignores SIGPIPE, and a shell lets what it starts with `&` ignore SIGINT and SIGQUIT."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = Child("child", ["/bin/grep", "SigIgn", "/proc/self/status"], sink=collector)
        await child.start()
        assert await child.wait() == 0
    finally:
        signal.signal(signal.SIGINT, before)
    ours_to_set = sum(1 << (number - 1) for number in signal.valid_signals())  # 32 and 33 are the C library's
    assert int(collector.lines[0].split()[1], 16) & ours_to_set == 0


async def test_every_byte_of_output_comes_as_a_line(child: Callable[..., Child], collector: Collector) -> None:
    talkative = child(
        "import sys; w = sys.stdout.buffer.write; w(b'one\\ntwo\\r\\n\\xff\\n\\n'); w(b'x' * 200_000 + b'\\n');"
        " sys.stderr.write('error\\n'); w(b'no line end')"
    )
    await talkative.spawn()
    assert await talkative.wait() == 0
    assert collector.lines[:4] == ["one", "two", "�", ""]
    assert sum(len(line) for line in collector.lines if line.startswith("x")) == 200_000
    assert {"error", "no line end"} <= set(collector.lines)


async def test_a_child_whose_output_nobody_takes_is_killed_rather_than_left_to_hang() -> None:
    def full(name: str, line: str) -> None:
        raise OSError("disk full")

    unheard = Child("unheard", [sys.executable, "-u", "-c", f"print('up'); {FOR_EVER}"], sink=full)
    await unheard.spawn()
    with pytest.raises(OSError, match="disk full"):
        await unheard.wait()
    assert not unheard.running


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
async def test_a_child_does_not_outlive_a_parent_that_was_killed(collector: Collector, tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(
        "import asyncio, sys\n"
        "from devstack.processes import Child\n"
        "async def main():\n"
        f"    child = Child('child', [sys.executable, '-c', {FOR_EVER!r}])\n"
        "    await child.start()\n"
        "    print(child.pid, flush=True)\n"
        "    await child.wait()\n"
        "asyncio.run(main())\n"
    )
    root = str(Path(__file__).parents[2])
    parent = Child(
        "parent", [sys.executable, program], env={"PYTHONPATH": root}, sink=collector, probe=collector.spoken_to
    )
    async with running(parent):
        pid = int(collector.lines[0])
        os.kill(parent.pid, signal.SIGKILL)
        assert await gone(pid)


async def test_what_was_never_started_has_no_end() -> None:
    never = Child("never", ["/bin/true"])
    await never.stop()
    await never.kill()
    assert not never.running
    with pytest.raises(RuntimeError, match="never was never started"):
        await never.wait()
    with pytest.raises(RuntimeError, match="never was never started"):
        print(never.pid)


async def test_a_running_child_is_not_started_twice(child: Callable[..., Child]) -> None:
    async with running(child(f"print('up'); {FOR_EVER}")) as once:
        with pytest.raises(RuntimeError, match="child runs already"):
            await once.start()
        assert once.running


async def test_giving_up_while_a_child_starts_leaves_no_process(child: Callable[..., Child]) -> None:
    slow = child(FOR_EVER)

    async def use() -> None:
        async with running(slow):
            raise AssertionError("it is never ready")

    task = asyncio.create_task(use())
    assert await until(lambda: slow.running, within=5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(slow.pid)
