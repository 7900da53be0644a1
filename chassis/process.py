"""Owns the life of a service process: everything long-lived runs in one group and ends together."""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import structlog
import uvloop

from chassis import failpoints

log = structlog.get_logger(__name__)

BACKLOG = 2048
"""Connections that may wait to be accepted: a burst of everybody coming back at once."""


class Service(Protocol):
    """Something that lives as long as the process does."""

    @property
    def name(self) -> str:
        """How it is called in logs."""
        ...

    async def run(self) -> None:
        """Work until cancelled. To return or to raise is to end the process."""
        ...


class ServiceEnded(RuntimeError):
    """A service returned although nobody asked it to."""


async def run_together(
    services: list[Service], *, stop: asyncio.Event, drain: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Run all `services` until `stop` is set or one of them fails.

    Once `stop` is set, `drain` is awaited while the services still run; then they are cancelled, last one first, each
    only when the one after it has ended: what was put together last depends on what came before.

    Raises:
        ExceptionGroup: a service failed or returned; the process must end and be restarted.
    """

    async def watch(service: Service) -> None:
        await service.run()
        raise ServiceEnded(f"{service.name} ended by itself")

    async def stop_in_order(tasks: list[asyncio.Task[None]]) -> None:
        await stop.wait()
        log.info("stopping")
        if drain is not None:
            await drain()
        for task in reversed(tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch(service), name=service.name) for service in services]
        group.create_task(stop_in_order(tasks), name="stop")


def main(start: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run `start` with an event that SIGTERM or SIGINT sets. A failed service ends the process with exit code 1."""

    async def signalled() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await start(stop)

    failpoints.arm()
    # What was imported stays for good: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(signalled())
    except Exception as failures:  # a group or not; what is raised in `except*` some 3.11 put into one
        log.exception("failed", exc_info=failures)
        raise SystemExit(1) from None


def listen(host: str, port: int, *, variable: str, shared: bool = False) -> socket.socket:
    """A listening socket; or one clear line and exit code 1 if the port is taken, 2 if the host is not ours.

    A `shared` one leaves the port to others that are shared, of the same account; the kernel spreads connections.
    """
    try:
        return socket.create_server((host, port), backlog=BACKLOG, reuse_port=shared)
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            reason = os.strerror(error.errno)
            sys.stderr.write(f"{variable}: cannot listen on {host}:{port}: {reason}; choose another port\n")
            raise SystemExit(1) from None
        sys.stderr.write(f"HOST: {host!r} must be an IPv4 address or a name of this machine, for example 127.0.0.1\n")
        raise SystemExit(2) from None
