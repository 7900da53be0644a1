"""Owns the command line of a service that has a database: serve, or migrate."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from chassis import logs, migrate, process, tracing
from chassis.settings import AuthSettings, BusSettings, LogSettings, ServiceSettings, TraceSettings, load

E = TypeVar("E", bound=ServiceSettings)


def main(
    service: str,
    settings: type[E],
    serve: Callable[[E, AuthSettings, BusSettings, asyncio.Event], Coroutine[Any, Any, None]],
    migrations: Path,
) -> None:
    """Do what the arguments say. A wrong setting or argument ends the process with exit code 2."""
    logs.configure(load(LogSettings), service=service)
    given = load(settings)
    match sys.argv[1:]:
        case []:
            auth, nats = load(AuthSettings), load(BusSettings)
            tracing.configure(load(TraceSettings), service=service)
            process.main(lambda stop: serve(given, auth, nats, stop))
        case ["migrate"]:
            asyncio.run(migrate.upgrade(given.database_url, migrations))
        case _:
            sys.stderr.write(f"usage: python -m {service} [migrate]\n")
            raise SystemExit(2)
