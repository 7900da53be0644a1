"""What processes use is counted for whole trees, and only for them."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from bench.push.accounting import cpu_seconds, resident

BURNT = 0.2
"""Seconds of CPU: what a child uses in these tests."""

BURN = f"""
import time
while time.process_time() < {BURNT}: pass
"""

MIB = 1024 * 1024

LIVING = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", '''{BURN}
memory = bytearray({50 * MIB})
print("done", flush=True)
sys_stdin = open(0); sys_stdin.read()
'''], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(child.stdout.readline().decode().strip(), flush=True)
sys.stdin.read()
"""
"""Its child has done its work, and lives on."""

WAITED_FOR = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", '''{BURN}'''])
print("done", flush=True)
sys.stdin.read()
"""
"""Its child has done its work and has ended."""

IDLE = """
import sys
print("done", flush=True)
sys.stdin.read()
"""


@contextlib.asynccontextmanager
async def program(text: str) -> AsyncIterator[int]:
    """The id of a Python process that runs `text` and has said that it is done; it ends with the block."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", text, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"done\n"
        yield process.pid
    finally:
        process.stdin.close()
        await process.wait()


async def test_the_cpu_of_a_child_that_lives_is_counted() -> None:
    """The parent itself has done next to nothing."""
    async with program(LIVING) as pid:
        assert cpu_seconds([pid]) >= BURNT


async def test_the_cpu_of_a_child_that_has_ended_is_counted() -> None:
    """As soon as its parent has waited for it; until then it counts as one that lives."""
    async with program(WAITED_FOR) as pid:
        assert cpu_seconds([pid]) >= BURNT * 0.95  # it is rounded down to hundredths of a second, twice


async def test_the_cpu_of_somebody_else_is_not_counted() -> None:
    """Neither a parent's nor a brother's."""
    async with program(LIVING) as busy, program(IDLE) as pid:
        assert cpu_seconds([pid]) < cpu_seconds([busy])


async def test_the_memory_of_a_child_is_counted() -> None:
    """And that of somebody else is not."""
    async with program(LIVING) as parent, program(IDLE) as idle:
        assert resident([parent]) >= 50 * MIB
        assert resident([idle]) < 50 * MIB


async def test_a_process_that_has_ended_counts_nothing() -> None:
    """It is no reason to fail: a server may have had workers."""
    async with program(IDLE) as pid:
        pass
    assert cpu_seconds([pid]) == 0
    assert resident([pid]) == 0
