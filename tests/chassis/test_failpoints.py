"""A process that was told to dies where it was told to, and no other does."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from chassis.failpoints import Point, last_words

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
from chassis import process
from chassis.failpoints import Point, reached

async def start(stop):
    for point in sys.argv[1:]:
        print(point, flush=True)
        reached(Point(point))

reached(Point.ACKED)
process.main(start)
"""


async def run(*points: str, **environment: str) -> tuple[int | None, list[str], str]:
    """The exit code of a process that reaches these points, those that it came to, and what it complained of."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, *points),
        env=environment,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    return process.returncode, output.decode().splitlines(), errors.decode()


@pytest.mark.parametrize(("told", "gets_to"), [("acked", 2), ("acked:1", 2), ("acked:2", 4)])
async def test_a_process_dies_at_its_point_when_it_comes_there_for_the_given_time(told: str, gets_to: int) -> None:
    """At once, with a line that says where; other points are passed, and so is this one before the process is main."""
    points = ["published", "acked", "published", "acked", "acked"]
    code, reached, complaint = await run(*points, FAILPOINT=told)
    assert (code, reached) == (-signal.SIGKILL, points[:gets_to])
    assert complaint == f"{last_words(Point.ACKED)}\n"


@pytest.mark.parametrize("environment", [{}, {"FAILPOINT": ""}, {"FAILPOINT": "consumed"}, {"FAILPOINT": "acked:2"}])
async def test_a_process_that_was_not_told_to_die_here_goes_on(environment: dict[str, str]) -> None:
    """Nor does it say anything."""
    assert await run("published", "acked", "committed", **environment) == (0, ["published", "acked", "committed"], "")


@pytest.mark.parametrize("value", ["unknown", "ACKED", "acked:", "acked:0", "acked:-1", "acked:often", ":1"])
async def test_a_point_that_does_not_exist_is_one_line_that_names_what_there_is(value: str) -> None:
    """With exit code 2 and before anything is done."""
    code, reached, complaint = await run("acked", FAILPOINT=value)
    assert (code, reached) == (2, [])
    (line,) = complaint.splitlines()
    assert line.startswith("FAILPOINT: ")
    assert repr(value) in line
    assert all(point in line for point in Point)
