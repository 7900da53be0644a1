"""Owns driving the load generator: its plan, its commands and what it answers."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.push import orders
from bench.push.compiled import program
from bench.push.contender import Cores, Opening, Publishing, on_core
from bench.push.outcomes import Opened, Published, Tally
from devstack.errors import StackError

SLOWEST: Final = 180.0
"""Seconds for one command; only so that a run ends. The old design takes its time to open thousands of sockets."""

PATIENCE: Final = 3

ENDING: Final = 5.0
"""Seconds for the end of the process once its commands have ended."""


class LoadFailed(StackError):
    """The load could not be applied: the server refused or ended something; the text says what."""


class Generator:
    """The load generator at work on one contender.

    Attributes:
        sockets: that are open, as far as it was told to open them.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.sockets = 0
        self._process = process

    async def open(self, sockets: int) -> Opened:
        """Have so many sockets open."""
        return self._opened(await self._told(f"open {sockets}"))

    async def open_again(self, sockets: int) -> Opened:
        """Open sockets that were closed, and wait until they have been sent what they missed."""
        return self._opened(await self._told(f"again {sockets}"))

    async def publish(
        self, *, events: int = 0, rate: float = 0, window: int = 1_000_000_000, seconds: float = 0
    ) -> Published:
        """Publish to one user after another.

        Args:
            events: how many; 0: until the time is over.
            rate: events a second; 0: as fast as they are taken and the window allows.
            window: frames that may be on their way.
            seconds: after which it ends; 0: with the last event.
        """
        answer = await self._told(f"publish {events} {rate} {window} {seconds}")
        tally = Tally(**{name: answer.pop(name) for name in Tally.__dataclass_fields__})
        return Published(tally=tally, **answer)

    async def address(self, users: int) -> None:
        """Publish to so many users from now on, also to those who have no socket."""
        await self._told(f"users {users}")

    async def close(self) -> None:
        """Close all sockets."""
        await self._told("close")
        self.sockets = 0

    async def total(self) -> Tally:
        """Everything that was ever published, with what came when nobody expected it."""
        answer = await self._told("total")
        return Tally(**{name: answer[name] for name in Tally.__dataclass_fields__})

    def _opened(self, answer: dict[str, Any]) -> Opened:
        opened = Opened(**answer)
        self.sockets = opened.open
        return opened

    async def _told(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None, "it was started with pipes"
        assert self._process.stdout is not None, "it was started with pipes"
        with contextlib.suppress(ConnectionError):  # it has ended, and will be asked why
            self._process.stdin.write(command.encode() + b"\n")
            await self._process.stdin.drain()
        try:
            async with asyncio.timeout(SLOWEST):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise LoadFailed(f"'{command}' took longer than {SLOWEST:g} s") from None
        if not line:
            raise LoadFailed(await self._reason())
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _reason(self) -> str:
        assert self._process.stderr is not None, "it was started with pipes"
        said = (await self._process.stderr.read()).decode(errors="replace").strip()
        return said or f"the load generator ended with {await self._process.wait()}"


@contextlib.asynccontextmanager
async def generating(
    opening: Opening,
    publishing: Publishing,
    *,
    tokens: Sequence[str],
    devices: int,
    cpu: Cores,
    again: Opening | None = None,
    patience: int = PATIENCE,
) -> AsyncIterator[Generator]:
    """A load generator on one core, for as many users as there are tokens.

    Args:
        devices: sockets of each user.
        again: how sockets are opened that were closed; the same way if not given.
        patience: seconds without any frame after which those that have not come are lost.

    Raises:
        LoadFailed: it cannot start.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-load-") as folder:
        lines = [f"devices {devices}", f"patience {patience}", *orders.plan(opening, publishing, again)]
        plan = orders.write(Path(folder), tokens, lines)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *map(str, on_core(cpu, [await program("load"), plan])), stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            yield Generator(process)
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None, "it was started with pipes"
    process.stdin.close()
    try:
        async with asyncio.timeout(ENDING):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
