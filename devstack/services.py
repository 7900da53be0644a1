"""Owns which services there are, what their environment says, and how a person finds them."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devstack.bus_keys import Account
from devstack.nats import Nats
from devstack.ports import HOST
from devstack.postgres import Postgres
from devstack.settings import DATA_DIR, Settings

GATEWAY: Final = "push"
"""The service that the page may take down."""

PROBE_TIMEOUT: Final = 1.0  # seconds


@dataclass(frozen=True)
class Service:
    """One of the services, as the runner sees it."""

    name: str
    command: tuple[str, ...]
    port: int
    migrate: tuple[str, ...] | None = None  # brings its database up to date; None: it has none
    account: Account | None = None  # as whom it connects to the bus; None: it does not

    def access(self, nats: Nats) -> Mapping[str, str]:
        """The variables with which it, and nobody else, connects to the bus."""
        return nats.access(self.account) if self.account is not None else {}

    async def ready(self) -> bool:
        """Whether `GET /readyz` answers 200."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                reader, writer = await asyncio.open_connection(HOST, self.port)
                try:
                    writer.write(f"GET /readyz HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
                    status = await reader.readline()
                finally:
                    writer.close()
        except OSError:  # includes TimeoutError
            return False
        return status.split(b" ")[1:2] == [b"200"]


def tandem(settings: Settings) -> list[Service]:
    """The services of this system."""

    def service(account: Account, module: str, variable: str, *, database: bool) -> Service:
        command = (sys.executable, "-m", module)
        migrate = (*command, "migrate") if database else None
        return Service(account, command, settings.ports[variable], migrate, account)

    return [
        service("connection", "connection_service", "CONNECTION_PORT", database=True),
        service("inbox", "inbox_service", "INBOX_PORT", database=True),
        service(GATEWAY, "push_gateway", "PUSH_PORT", database=False),
    ]


def environment(settings: Settings, postgres: Postgres, nats: Nats, secret: str) -> Mapping[str, str]:
    """What all services read, in addition to what stands in our own environment; each also has its own `access`."""
    inbox, connection, push = (settings.ports[name] for name in ("INBOX_PORT", "CONNECTION_PORT", "PUSH_PORT"))
    return {name: str(port) for name, port in settings.ports.items()} | {
        "HOST": HOST,
        "NATS_URL": nats.url,
        "CONNECTION_DATABASE_URL": postgres.url("connection"),
        "INBOX_DATABASE_URL": postgres.url("inbox"),
        "AUTH_DEV": "1",
        "AUTH_SECRET": secret,
        "ALLOWED_ORIGINS": f"http://{HOST}:{inbox},http://localhost:{inbox}",
        # What the demo page, served by the inbox service, tells the browser.
        "CONNECTION_URL": f"http://{HOST}:{connection}",
        "PUSH_URL": f"ws://{HOST}:{push}/v1/push",
        "PYTHONUNBUFFERED": "1",  # a line is printed when it is written, not when the pipe's buffer is full
    }


def welcome(settings: Settings) -> str:
    """What a person can do now; ends with the page's address."""
    inbox, connection = (f"http://{HOST}:{settings.ports[name]}" for name in ("INBOX_PORT", "CONNECTION_PORT"))
    place = "" if settings.data_dir == Path(DATA_DIR) else f" DATA_DIR={settings.data_dir}"
    return f"""
A token for alice:       TOKEN=$(curl -s {connection}/dev/token -H 'Content-Type: application/json' \\
                           -d '{{"user_id":"alice"}}' | sed -E 's/.*"token": ?"([^"]+)".*/\\1/')
Her inbox:               curl -s {inbox}/v1/inbox/items -H "Authorization: Bearer $TOKEN"
A look at its database:  make psql DB=inbox{place}

Tandem is running: {inbox}/  (Ctrl-C stops everything)"""
