"""Owns Tandem as a system whose whole job is measured: NATS and the three services, one process each."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import asyncpg

from bench.job.system import BROKER, QUESTION, TOKEN_LIFE, Address, Person, sql
from bench.job.wire import Call
from bench.push.contender import on_core
from chassis.auth import issue_token
from chassis.settings import AuthSettings
from contracts.frames import PATH
from devstack.binaries import nats_server
from devstack.data_dir import DataDir
from devstack.errors import ChildEnded
from devstack.nats import Nats
from devstack.ports import free_port
from devstack.postgres import Postgres
from devstack.processes import Child, running, running_together
from devstack.services import Service, environment, tandem
from devstack.settings import PORTS, Settings
from devstack.waiting import until

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("fastapi", "uvicorn", "sqlalchemy", "asyncpg", "nats-py", "websockets")
DATABASES: Final = ("connection", "inbox")

READY_WITHIN: Final = 60.0
"""Seconds."""

NO_LIMITS: Final = {"HTTP_REQUESTS_PER_USER": "0", "PUSH_HANDSHAKES_PER_ADDRESS": "0"}
"""Everybody comes from this machine, and does what a person does in an hour."""


class Tandem:
    """What this repository is."""

    name = "tandem"
    what = "connection_service, inbox_service, push_gateway and NATS with `sync_interval: always`, one process each"

    def __init__(self, folder: Path, postgres: Postgres, secret: str) -> None:
        self._folder = folder
        self._postgres = postgres
        self._secret = secret
        self._auth = AuthSettings(secret=secret)
        self._parts = contextlib.AsyncExitStack()
        self._nats: Nats
        self._services: dict[str, tuple[Service, Child]] = {}

    def available(self) -> str | None:
        return None

    def version(self) -> str:
        packages = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
        server = subprocess.run([nats_server(), "--version"], capture_output=True, text=True, check=True)  # noqa: S603
        return f"{packages}, {server.stdout.strip()}"

    async def start(self, cpu: int) -> None:
        settings = Settings({variable: free_port() for variable in PORTS}, self._folder)
        self._nats = Nats(
            self._folder / "nats", settings.ports["NATS_PORT"], keys=DataDir(self._folder).bus_keys, sink=_complain
        )
        self._nats.command = [str(part) for part in on_core(cpu, self._nats.command)]
        env = {**environment(settings, self._postgres, self._nats, self._secret), **NO_LIMITS, "PYTHONPATH": str(ROOT)}
        await self._postgres.create_databases(*DATABASES)
        await self._parts.enter_async_context(running(self._nats))
        for service in tandem(settings):
            if service.migrate is not None:
                await _run(Child(f"migrate {service.name}", service.migrate, env=env, sink=_complain))
            command = on_core(cpu, service.command)
            child = Child(
                service.name,
                command,
                env={**env, **service.access(self._nats)},
                probe=service.ready,
                ready_within=READY_WITHIN,
                sink=_complain,
            )
            self._services[service.name] = service, child
        await self._parts.enter_async_context(running_together([child for _, child in self._services.values()]))

    async def stop(self) -> None:
        await self._parts.aclose()

    @property
    def processes(self) -> Mapping[str, Sequence[int]]:
        return {name: [child.pid] for name, (_, child) in self._services.items()} | {BROKER: [self._nats.pid]}

    async def people(self, names: Sequence[str]) -> Sequence[Person]:
        return [Person(name, name, issue_token(self._auth, name, ttl=TOKEN_LIFE)) for name in names]

    async def questions(self, pairs: Sequence[tuple[Person, Person]], days: int) -> Sequence[Sequence[str]]:
        made = []
        async with sql(self._postgres, "connection") as db:
            for pair in pairs:
                partnership = await db.fetchval(
                    "INSERT INTO partnerships (time_zone, created_at) VALUES ('UTC', now()) RETURNING id"
                )
                await db.executemany(
                    "INSERT INTO members (partnership_id, user_id) VALUES ($1, $2)",
                    [(partnership, person.id) for person in pair],
                )
                rows = await db.fetch(
                    "INSERT INTO daily_connections (partnership_id, date, question_id, question)"
                    " SELECT $1, current_date - day, 'of the benchmark', $3"
                    " FROM generate_series(1, $2) AS day RETURNING id",
                    partnership,
                    days,
                    QUESTION,
                )
                made.append([str(row["id"]) for row in rows])
        return made

    async def items(self, person: Person, bodies: Sequence[str]) -> Sequence[str]:
        async with sql(self._postgres, "inbox") as db:
            rows = await db.fetch(
                "INSERT INTO inbox_items (recipient_id, kind, title, body)"
                " SELECT $1, 'notice', 'A notice', body FROM unnest($2::text[]) AS body RETURNING id",
                person.id,
                bodies,
            )
        return [str(row["id"]) for row in rows]

    async def settled(self) -> None:
        """Wait until the relays have published all that was filled in."""
        for database in DATABASES:
            async with sql(self._postgres, database) as db:

                async def published(db: asyncpg.Connection = db) -> bool:
                    return not await db.fetchval("SELECT EXISTS (SELECT FROM changes WHERE seq IS NULL)")

                if not await until(published, within=READY_WITHIN):
                    raise TimeoutError(f"the relay of {database} does not come to an end")

    def socket(self, person: Person) -> Address:
        return Address(self._port("push"), PATH, f"Authorization: Bearer {person.token}\r\n")

    def answer(self, person: Person, question: str, text: str) -> Call:
        return self._post("connection", person, f"/v1/daily-connections/{question}/answers", {"text": text})

    def mark_read(self, person: Person, item: str) -> Call:
        return self._post("inbox", person, f"/v1/inbox/items/{item}/read")

    def mark_all_read(self, person: Person, newest: str) -> Call:
        return self._post("inbox", person, "/v1/inbox/items/read-all", {"through": newest})

    def page(self, person: Person) -> Call:
        return Call.of("GET", self._port("inbox"), "/v1/inbox/items?limit=50", person.token)

    def _port(self, service: str) -> int:
        return self._services[service][0].port

    def _post(self, service: str, person: Person, path: str, body: object = None) -> Call:
        return Call.of(
            "POST", self._port(service), path, person.token, json.dumps(body).encode() if body is not None else b""
        )


async def _run(child: Child) -> None:
    await child.spawn()
    if (code := await child.wait()) != 0:
        raise ChildEnded(child.name, code)


def _complain(name: str, line: str) -> None:
    if "warning" in line or "error" in line:
        sys.stderr.write(f"{name:<18} | {line}\n")
