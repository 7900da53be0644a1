"""How log lines look, in processes of their own: there is one logging in a process."""

import asyncio
import json
import os
import pty
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import logging
import structlog
from chassis import logs
from chassis.settings import LogSettings

log = structlog.get_logger("a.service")
logs.configure(LogSettings(), service="things")
{body}
"""

FAILING = """
def fail(secret):
    raise LookupError("nowhere")

try:
    fail("hunter2")
except LookupError as error:
    {call}
"""


async def run(body: str, **environment: str) -> str:
    """What a process with this body writes to standard error, which is all that it writes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM.format(body=body)),
        env=environment,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    assert (process.returncode, output) == (0, b"")
    return errors.decode()


async def lines(body: str, **environment: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await run(body, **environment)).splitlines()]


async def test_where_nobody_watches_a_line_is_a_json_object() -> None:
    """With the service, the level, the logger, the time in UTC and whatever was given."""
    (line,) = await lines("log.info('made it', number=7, text='☂')")
    assert line.pop("timestamp").endswith("Z")
    context = {"level": "info", "logger": "a.service", "service": "things"}
    assert line == {"event": "made it", "number": 7, "text": "☂"} | context


async def test_the_standard_library_and_what_is_bound_come_the_same_way() -> None:
    """A library's line carries the request's id like ours."""
    body = """
with structlog.contextvars.bound_contextvars(request_id="r1"):
    logging.getLogger("a.library").warning("%s is odd", "this", extra={"number": 7})
"""
    (line,) = await lines(body)
    assert (line["event"], line["logger"], line["level"]) == ("this is odd", "a.library", "warning")
    assert (line["request_id"], line["service"], line["number"]) == ("r1", "things", 7)


async def test_what_is_below_the_level_is_left_out() -> None:
    """Of ours and of the libraries; uvicorn and websockets speak only when something is wrong."""
    body = """
for name in ("a.library", "uvicorn.access", "uvicorn.error", "websockets.server"):
    logging.getLogger(name).info("chatter of %s", name)
    logging.getLogger(name).warning("warning of %s", name)
log.debug("detail")
"""
    said = [line["event"] for line in await lines(body)]
    assert said == ["chatter of a.library"] + [
        f"warning of {name}" for name in ("a.library", "uvicorn.access", "uvicorn.error", "websockets.server")
    ]
    assert [line["event"] for line in await lines(body, LOG_LEVEL="ERROR")] == []
    assert (await lines(body, LOG_LEVEL="DEBUG"))[-1]["event"] == "detail"


@pytest.mark.parametrize(
    "call",
    [
        "log.exception('failed')",
        "log.error('failed', exc_info=error)",
        "logging.getLogger('a.library').exception('failed')",
        "log.error('failed', exc_info=ExceptionGroup('several', [error]))",
    ],
)
@pytest.mark.parametrize("style", ["json", "console"])
async def test_an_exception_is_told_with_its_traceback_but_not_with_its_variables(call: str, style: str) -> None:
    """Among them are secrets: tokens, keys, the addresses of databases."""
    said = await run(FAILING.format(call=call), LOG_FORMAT=style)
    assert "LookupError" in said
    assert "nowhere" in said
    assert "<module>" in said
    assert "hunter2" not in said.replace('fail("hunter2")', "")
    if style == "json":
        assert json.loads(said)["exception"]


@pytest.mark.parametrize("style", ["json", "console"])
async def test_what_somebody_sends_makes_no_second_line_and_steers_no_terminal(style: str) -> None:
    """Nobody writes lines of their own into the log."""
    sent = '"/\\r\\n2026 [error] forged\\x1b[2J"'
    said = await run(f"log.info('not found', path={sent})", LOG_FORMAT=style)
    assert "forged" in said
    assert len(said.splitlines()) == 1
    assert "\x1b[2J" not in said


async def test_on_a_terminal_it_is_readable() -> None:
    """And JSON there too for who wants it."""

    async def on_terminal(**environment: str) -> str:
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM.format(body="log.info('made it', number=7)")),
            env=environment,
            cwd=ROOT,
            stderr=theirs,
        )
        async with asyncio.timeout(30):
            assert await process.wait() == 0
        os.close(theirs)
        said = os.read(ours, 10_000).decode()
        os.close(ours)
        return said

    said = await on_terminal()
    assert "made it" in said
    with pytest.raises(json.JSONDecodeError):
        json.loads(said)
    assert json.loads(await on_terminal(LOG_FORMAT="json"))["event"] == "made it"
