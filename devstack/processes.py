"""Owns the life of a process that we started: its start, its readiness, its output and its end, with all it left."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import psutil

from devstack.account import Account
from devstack.errors import ChildEnded, NotReady
from devstack.output import Printer, Sink, lines_from
from devstack.trees import alive, signal_tree
from devstack.waiting import until

LAUNCHER: Final = Path(__file__).with_name("launch.py")

DRAIN: Final = 2.0
"""Seconds that what a dead child left behind may hold its output open. PostgreSQL's backends need some milliseconds to
see that their postmaster is gone; what takes longer has put itself out of our reach, and must not stop us."""

C = TypeVar("C", bound="Child")


class Child:
    """A process that lives no longer than we do.

    It leads a session of its own, so Ctrl-C at the terminal reaches only us; on Linux it gets `stop_signal` when we
    die, however we die. May be started again after it ended. All methods belong to one event loop.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        account: Account | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        probe: Callable[[], Awaitable[bool]] | None = None,
        ready_within: float = 30.0,
        grace: float = 3.0,
        sink: Sink | None = None,
    ) -> None:
        """Describe it; `start` starts it.

        Args:
            env: added to our own environment.
            account: whom it runs as, if not as ourselves.
            probe: tells whether it is ready; without one it is ready as soon as it runs.
            ready_within: seconds after which `start` gives up waiting.
            grace: seconds between `stop_signal` and SIGKILL.
            sink: takes its output, line by line; printed behind `name` if not given.
        """
        self.name = name
        self.command = [str(part) for part in command]
        self.env = dict(env or {})
        self.account = account
        self.stop_signal = stop_signal
        self.ready_within = ready_within
        self.grace = grace
        self.sink: Sink = sink or Printer()
        self._probe = probe
        self._process: asyncio.subprocess.Process | None = None
        self._end: asyncio.Task[int] | None = None  # gives the return code when the process and its output ended

    @property
    def running(self) -> bool:
        """Whether the process lives. A frozen one does."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process's id, which is its group's and session's too; also after its end."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    async def ready(self) -> bool:
        """Whether it does its work."""
        return self._probe is None or await self._probe()

    async def start(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            ChildEnded: it ended instead.
            NotReady: it took too long; it goes on running until `stop`.
        """
        await self.spawn()
        await self.wait_ready()

    async def spawn(self) -> None:
        """Start it, and do not wait until it is ready."""
        if self._end is not None and not self._end.done():
            raise RuntimeError(f"{self.name} runs already")
        # Our own pipe, not asyncio's: Process.wait() would not return as long as a grandchild held that one open.
        read_end, write_end = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._launcher(), *self.command, stdin=asyncio.subprocess.DEVNULL, stdout=write_end,
                stderr=write_end, env=os.environ | self.env, start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self._end = asyncio.create_task(self._see_to_its_end(self._process, read_end), name=f"{self.name}'s end")

    async def wait_ready(self) -> None:
        """Wait until it is ready; raises what `start` raises."""

        async def ready_or_ended() -> bool:
            return not self.running or await self.ready()

        ready = await until(ready_or_ended, within=self.ready_within)
        if not self.running:  # asked last: somebody else may have answered in its place
            raise ChildEnded(self.name, await self.wait())
        if not ready:
            raise NotReady(f"{self.name} was not ready within {self.ready_within:g} s")

    async def wait(self) -> int:
        """Wait for its end and return its return code, which is minus the signal's number if a signal ended it."""
        if self._end is None:
            raise RuntimeError(f"{self.name} was never started")
        return await asyncio.shield(self._end)

    async def stop(self, *, grace: float | None = None) -> None:
        """Ask it to end, and kill it with all its descendants if it has not done so after `grace` seconds."""
        if self._process is None or self._end is None:
            return
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            self._process.send_signal(self.stop_signal)
        await asyncio.wait({self._end}, timeout=self.grace if grace is None else grace)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL it and all its descendants, as a crash of the machine would, and wait until they are gone."""
        if self._end is not None:
            killed = self._signal_all(signal.SIGKILL)
            await asyncio.wait({self._end})
            await until(lambda: not any(alive(process) for process in killed), within=DRAIN)

    async def restart(self) -> None:
        """Stop it, start it again and wait until it is ready."""
        await self.stop()
        await self.start()

    def freeze(self) -> None:
        """SIGSTOP it and all its descendants: alive to the kernel, silent to everybody else."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        self._signal_all(signal.SIGCONT)

    def _launcher(self) -> list[str]:
        account = f"{self.account.uid}:{self.account.gid}" if self.account else "-"
        return [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(self.stop_signal)), account]

    def _signal_all(self, number: signal.Signals) -> list[psutil.Process]:
        return signal_tree(self.pid, number) if self.running else []

    async def _see_to_its_end(self, process: asyncio.subprocess.Process, read_end: int) -> int:
        pump = asyncio.create_task(self._pass_on(read_end), name=f"{self.name}'s output")
        returncode = await process.wait()
        with contextlib.suppress(ProcessLookupError):  # the usual case: nothing is left of its group
            os.killpg(process.pid, signal.SIGKILL)
        try:
            async with asyncio.timeout(DRAIN):
                await pump
        except TimeoutError:
            self.sink(self.name, "something that it started has outlived it")
        return returncode

    async def _pass_on(self, read_end: int) -> None:
        try:
            async with contextlib.aclosing(lines_from(read_end)) as lines:
                async for line in lines:
                    self.sink(self.name, line)
        except BaseException:
            self._signal_all(signal.SIGKILL)  # nobody takes its output: it would hang as soon as the pipe is full
            raise


@contextlib.asynccontextmanager
async def running(child: C) -> AsyncIterator[C]:
    """`async with running(Postgres(folder)) as postgres:` starts it, waits until it is ready, and stops it."""
    try:
        await child.start()
        yield child
    finally:
        await child.stop()


@contextlib.asynccontextmanager
async def running_together(children: Sequence[C]) -> AsyncIterator[Sequence[C]]:
    """Like `running`, for children that become ready only together, as the servers of a cluster do."""
    try:
        async with asyncio.TaskGroup() as group:
            for child in children:
                group.create_task(child.start(), name=f"{child.name}'s start")
        yield children
    finally:
        await asyncio.gather(*(child.stop() for child in children))
