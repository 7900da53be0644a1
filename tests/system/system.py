"""Owns a running system as its users see it: addresses, tokens, requests, devices, SQL."""

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

import asyncpg
import httpx

from chassis.auth import issue_token
from chassis.settings import AuthSettings
from contracts.frames import PATH
from devstack.data_dir import DataDir
from devstack.ports import HOST
from devstack.postgres import Postgres
from devstack.services import tandem
from devstack.settings import Settings
from tests.system.device import PATIENCE, Device, Frame

SCOPE = "inbox:write"
"""What other services have in their tokens."""

FENCE = "fence"
"""The kind of an item whose only purpose is to arrive after everything else."""


class System:
    """One running system."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        place = DataDir(settings.data_dir)
        self.settings = settings
        self.http = http
        self.connection = f"http://{HOST}:{settings.ports['CONNECTION_PORT']}/v1"
        self.inbox = f"http://{HOST}:{settings.ports['INBOX_PORT']}/v1/inbox"
        self.push = f"ws://{HOST}:{settings.ports['PUSH_PORT']}{PATH}"
        self.nats = f"nats://{HOST}:{settings.ports['NATS_PORT']}"
        self.bus_keys = place.bus_keys
        self.postgres = Postgres(place.postgres)  # only to know where it is
        self._auth = AuthSettings(secret=place.secret())

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, settings: Settings) -> AsyncIterator["System"]:
        """The system that runs with these settings."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as http:
            yield cls(settings, http)

    def token(self, user: str, scope: str = "") -> str:
        """A token of `user`, as a service in front of this system would make it."""
        return issue_token(self._auth, user, scope=scope)

    async def ask(self, method: str, url: str, user: str, *, scope: str = "", body: Any = None) -> httpx.Response:
        """The response to a request of `user`."""
        headers = {"Authorization": f"Bearer {self.token(user, scope)}"}
        return await self.http.request(method, url, json=body, headers=headers)

    async def get(self, url: str, user: str) -> Any:
        """What `user` is told."""
        return (await self.ask("GET", url, user)).raise_for_status().json()

    async def post(self, url: str, user: str, body: Any = None, *, scope: str = "") -> Any:
        """What `user` is told about what was done."""
        return (await self.ask("POST", url, user, scope=scope, body=body)).raise_for_status().json()

    async def insist(self, method: str, url: str, user: str, *, scope: str = "", body: Any = None) -> Any:
        """What `user` is told in the end, who comes back when told to."""
        async with asyncio.timeout(PATIENCE):
            while True:
                response = await self.ask(method, url, user, scope=scope, body=body)
                if response.status_code != 503:
                    return response.raise_for_status().json()
                await asyncio.sleep(float(response.headers["Retry-After"]))

    async def answer(self, user: str, text: str = "The sea.") -> Any:
        """Have `user` answer today's question; returns the answer."""
        today = await self.get(f"{self.connection}/daily-connections/today", user)
        return await self.post(f"{self.connection}/daily-connections/{today['id']}/answers", user, {"text": text})

    async def item(self, recipient: str, title: str = "A notice", kind: str = "notice") -> Any:
        """Have another service put an item into somebody's inbox; returns the item."""
        body = {"recipient_id": recipient, "kind": kind, "title": title}
        return await self.post(f"{self.inbox}/items", "another-service", body, scope=SCOPE)

    async def ready(self) -> dict[str, bool]:
        """Which of the services are ready."""
        return {service.name: await service.ready() for service in tandem(self.settings)}

    def device(self, user: str, **cursor: str | int) -> contextlib.AbstractAsyncContextManager[Device]:
        """A device of `user`; with the cursor of another one it resumes from there."""
        return Device.open(self.push, user, self.token(user), **cursor)

    async def heard(self, *devices: Device) -> list[list[Frame]]:
        """What each device has got since it was last asked for, up to something that is sent after all of that.

        That is an item: what nobody has waited for before must be something that the same relays send before it.
        """
        fence = str(uuid.uuid4())
        await self._fence({device.user for device in devices}, fence)
        return [await _up_to(device, fence) for device in devices]

    async def sql(self, database: str, statements: str) -> str:
        """What psql prints when somebody types `statements`."""
        return await run(*self.postgres.psql_command(database), "-v", "ON_ERROR_STOP=1", "-At", typed=statements)

    async def _fence(self, users: Collection[str], title: str) -> None:
        connection = await asyncpg.connect(self.postgres.url("inbox").replace("+asyncpg", ""))
        await connection.execute(
            "INSERT INTO inbox_items (recipient_id, kind, title, is_read) SELECT unnest($1::text[]), $2, $3, true",
            list(users),
            FENCE,
            title,
        )
        await connection.close()


async def _up_to(device: Device, fence: str) -> list[Frame]:
    """The events that came before the fence; it and the count that follows it are accounted for."""

    def position(name: str, start: int = 0, **data: str) -> int | None:
        frames = enumerate(device.frames[start:], start)
        return next((i for i, each in frames if each["event"] == name and data.items() <= each["data"].items()), None)

    await device.event("inbox:created", title=fence)
    at = position("inbox:created", title=fence)
    assert at is not None, "it has just arrived"
    await device.until(lambda: position("inbox:unread", at) is not None)
    heard = [frame for frame in device.frames[device.judged : at] if "id" in frame]
    device.judged = 1 + (position("inbox:unread", at) or at)
    return heard


async def run(*command: str, typed: str = "", environment: Mapping[str, str] | None = None) -> str:
    """What a program prints when somebody types something into it, with more in its environment; it must end well."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
    )
    printed, _ = await process.communicate(typed.encode())
    assert process.returncode == 0, printed.decode()
    return printed.decode()
