"""Owns running one command: its settings, its output, and how it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Annotated

import structlog
import typer
import uvloop

from bus_inspector.output import Output
from bus_inspector.reach import Reach
from bus_inspector.settings import DatabaseSettings
from chassis.settings import BusSettings, load

Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show what people wrote, too.")]

Work = Callable[[Reach, Output], Awaitable[int | None]]
"""A command: what it reaches, where it writes, and an exit code if that is not 0."""


def run(work: Work, *, as_json: bool) -> None:
    """Do it, with settings from the environment.

    Raises:
        InspectorError: it could not be done.
        SystemExit: a variable is wrong, or the command's exit code is not 0.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # our errors say what there is to say
    reach = Reach(load(BusSettings), load(DatabaseSettings))
    output = Output(as_json=as_json)

    async def working() -> int | None:
        return await work(reach, output)

    signal.signal(signal.SIGINT, _interrupt)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(working())
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough; Python would complain about it at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    if code:
        raise SystemExit(code)


def _interrupt(_: int, __: FrameType | None) -> None:
    """asyncio's own handler only cancels: who waits for room in a pipe would go on waiting."""
    raise KeyboardInterrupt
