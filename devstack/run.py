"""Owns the running system: what starts after what, that one's death is everybody's, and that all of it ends."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from devstack.control import Control
from devstack.data_dir import DataDir
from devstack.errors import ChildEnded, StackError
from devstack.keeper import Keeper
from devstack.nats import Nats
from devstack.output import Printer, on_terminal
from devstack.ports import claim
from devstack.postgres import Postgres
from devstack.processes import Child
from devstack.services import GATEWAY, Service, environment, tandem, welcome
from devstack.settings import Settings, read

Probe = Callable[[], Awaitable[bool]]

PATIENCE: Final = 5.0
"""Seconds that the processes of a killed runner get to leave their ports."""

SERVICES_GRACE: Final = 2.2
NATS_GRACE: Final = 0.6
POSTGRES_GRACE: Final = 1.2
"""Seconds between the polite signal and SIGKILL, one after the other: with what SIGKILL takes, below the 5 s in which
Ctrl-C must have stopped everything."""


class Stack:
    """PostgreSQL, NATS and the services, as children of ours."""

    def __init__(self, settings: Settings, services: Sequence[Service], *, printer: Printer) -> None:
        """Describe the system; `run` runs it."""
        place = DataDir(settings.data_dir)
        self._settings = settings
        self._services = services
        self._printer = printer
        self._postgres = Postgres(place.postgres, sink=printer)
        self._nats = Nats(place.nats, settings.ports["NATS_PORT"], keys=place.bus_keys, sink=printer)
        self._environment = dict(environment(settings, self._postgres, self._nats, place.secret()))
        if on_terminal():
            self._environment["LOG_FORMAT"] = os.environ.get("LOG_FORMAT", "console")  # a service sees only a pipe
        self._control = Control(self._environment["ALLOWED_ORIGINS"].split(","))
        self._environment["CONTROL_URL"] = self._control.url  # the demo page tells it to the browser
        self._of_services: list[Child] = []  # the services and their migrations, as far as they were started

    async def run(self) -> None:
        """Start everything, say so, and stay until a child ends or we are cancelled; then stop everything.

        Raises:
            StackError: why it could not be started or cannot go on.
        """
        failure: StackError | None = None
        try:
            async with asyncio.TaskGroup() as keepers:
                async with asyncio.TaskGroup() as starts:
                    for server in (self._postgres, self._nats):
                        starts.create_task(_start(server, keepers), name=f"start {server.name}")
                await self._postgres.create_databases("connection", "inbox")
                async with asyncio.TaskGroup() as migrations:
                    for service in self._services:
                        migrations.create_task(self._migrate(service), name=f"migrate {service.name}")
                async with asyncio.TaskGroup() as starts:
                    for service in self._services:
                        starts.create_task(self._start(service, keepers), name=f"start {service.name}")
                await self._printer.settle()
                self._printer.plain(welcome(self._settings))
        except* StackError as errors:
            failure = _first(errors)  # what is raised in here comes out in a group, or not, as Python's version has it
        finally:
            await self._stop()
        if failure is not None:
            raise failure

    async def _start(self, service: Service, keepers: asyncio.TaskGroup) -> None:
        child = self._child(service, service.command, service.ready)
        keeper = await _start(child, keepers)
        if service.name == GATEWAY:
            keepers.create_task(self._control.run(keeper), name="control")

    async def _migrate(self, service: Service) -> None:
        if service.migrate is not None:
            migration = self._child(service, service.migrate)
            await migration.start()
            if returncode := await migration.wait():
                raise ChildEnded(f"the migration of {service.name}", returncode)

    def _child(self, service: Service, command: Sequence[str], probe: Probe | None = None) -> Child:
        env = {**self._environment, **service.access(self._nats)}
        child = Child(service.name, command, env=env, probe=probe, sink=self._printer)
        self._of_services.append(child)
        return child

    async def _stop(self) -> None:
        self._control.close()
        await asyncio.gather(*(child.stop(grace=SERVICES_GRACE) for child in self._of_services))
        await self._nats.stop(grace=NATS_GRACE)
        await self._postgres.stop(grace=POSTGRES_GRACE)


async def _start(child: Child, keepers: asyncio.TaskGroup) -> Keeper:
    await child.start()
    keeper = Keeper(child)
    keepers.create_task(keeper.run(), name=f"keep {child.name}")
    return keeper


def _first(errors: BaseExceptionGroup[StackError]) -> StackError:
    """The one that happened first; what ended because of it comes after it."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def run_until_stopped(settings: Settings, services: Sequence[Service]) -> None:
    """Run the system until SIGINT (Ctrl-C), SIGTERM or SIGHUP, or until nobody reads what we print any more.

    Raises:
        StackError: it could not be started, or a child of it ended.
    """
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            asyncio.get_running_loop().add_signal_handler(number, asked.set)  # the second Ctrl-C changes nothing
    printer = Printer(reader_gone=asked.set)
    with DataDir(settings.data_dir).locked() as predecessor_killed:
        await claim(settings.ports, patience=PATIENCE if predecessor_killed else 0)
        stack = asyncio.create_task(Stack(settings, services, printer=printer).run(), name="stack")
        waiting = asyncio.create_task(asked.wait(), name="wait for a signal")
        await asyncio.wait({stack, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        stack.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stack
    printer.plain(f"Tandem has stopped; its state is in {settings.data_dir}")


def main(environ: Mapping[str, str], services: Callable[[Settings], Sequence[Service]] = tandem) -> int:
    """Run the system; return the exit code. The reason for one that is not 0 is the last line."""
    try:
        settings = read(environ)
        asyncio.run(run_until_stopped(settings, services(settings)))
    except StackError as error:
        stopped = "; everything has been stopped" if isinstance(error, ChildEnded) else ""
        sys.stderr.write(f"tandem: {error}{stopped}\n")
        return error.exit_code
    return 0
