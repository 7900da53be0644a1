"""Owns the command line of a service that has a database: serve, or migrate.

What a service is made of is loaded only where it serves: to migrate takes little of it, and two thirds of the time.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any, TypeVar

from chassis import logs, migrate, process, tracing
from chassis.settings import AuthSettings, BusSettings, LogSettings, ServiceSettings, TraceSettings, load

E = TypeVar("E", bound=ServiceSettings)

Serve = Callable[[E, AuthSettings, BusSettings, asyncio.Event], Coroutine[Any, Any, None]]
"""`await serve(settings, auth, nats, stop)`: run until `stop` is set. Each service has it in its module `app`."""


def main(service: str, settings: type[E]) -> None:
    """Do what the arguments say with the package `service`. A wrong setting or argument ends the process with exit
    code 2."""
    logs.configure(load(LogSettings), service=service)
    given = load(settings)
    match sys.argv[1:]:
        case []:
            auth, nats = load(AuthSettings), load(BusSettings)
            tracing.configure(load(TraceSettings), service=service)
            serve: Serve[E] = import_module(f"{service}.app").serve
            process.main(lambda stop: serve(given, auth, nats, stop))
        case ["migrate"]:
            asyncio.run(migrate.upgrade(given.database_url, migrate.migrations_of(service)))
        case _:
            sys.stderr.write(f"usage: python -m {service} [migrate]\n")
            raise SystemExit(2)
