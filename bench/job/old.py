"""Owns the old design as a system whose whole job is measured: one process of uvicorn or daphne, and Redis."""

import contextlib
import json
from collections.abc import Mapping, Sequence

from bench.job.system import BROKER, QUESTION, TOKEN_LIFE, Address, Person, sql
from bench.job.wire import Call
from bench.peers import programs, redis
from bench.peers.old_design import DATABASE, Kind, WebServer, environment, migrate
from bench.peers.redis import Redis
from bench.push.contender import on_core
from chassis.auth import issue_token
from chassis.settings import AuthSettings
from devstack.postgres import Postgres
from devstack.processes import running


class Old:
    """Django, Channels, channels_redis and DRF, on one process of a web server."""

    def __init__(
        self, kind: Kind, postgres: Postgres, secret: str, *, variables: Mapping[str, str] | None = None
    ) -> None:
        """`variables` are more of those that its settings read."""
        self.name = f"django-{kind}"
        self.what = f"the old design: Django, DRF, Channels, channels_redis and Redis, one process of {kind}"
        self._kind: Kind = kind
        self._postgres = postgres
        self._secret = secret
        self._variables = variables or {}
        self._auth = AuthSettings(secret=secret)
        self._parts = contextlib.AsyncExitStack()
        self._redis: Redis
        self._server: WebServer

    def available(self) -> str | None:
        try:
            programs.python()
            redis.program()
        except programs.Absent as reason:
            return str(reason)
        return None

    def version(self) -> str:
        names = ("django", "djangorestframework", "channels", "channels-redis", self._kind)
        return f"{programs.package_versions(*names)}, {redis.version()}"

    async def start(self, cpu: int) -> None:
        await self._postgres.create_databases(DATABASE)
        self._redis = Redis(prefix=on_core(cpu, []))
        env = {**environment(self._redis, self._secret, self._postgres), **self._variables}
        await self._parts.enter_async_context(running(self._redis))
        await migrate(env)
        self._server = WebServer(self._kind, env, prefix=on_core(cpu, []))
        await self._parts.enter_async_context(running(self._server))

    async def stop(self) -> None:
        await self._parts.aclose()

    @property
    def redis_url(self) -> str:
        """Where its Redis is."""
        return self._redis.url

    @property
    def processes(self) -> Mapping[str, Sequence[int]]:
        return {self._kind: [self._server.pid], BROKER: [self._redis.pid]}

    async def people(self, names: Sequence[str]) -> Sequence[Person]:
        async with sql(self._postgres, DATABASE) as db:
            rows = await db.fetch(
                "INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, is_staff,"
                " is_active, date_joined) SELECT name, '', '', '', '', false, false, true, now()"
                " FROM unnest($1::text[]) AS name RETURNING username, id",
                names,
            )
        ids = {row["username"]: str(row["id"]) for row in rows}
        return [Person(name, ids[name], issue_token(self._auth, ids[name], ttl=TOKEN_LIFE)) for name in names]

    async def questions(self, pairs: Sequence[tuple[Person, Person]], days: int) -> Sequence[Sequence[str]]:
        made = []
        async with sql(self._postgres, DATABASE) as db:
            for first, second in pairs:
                partnership = await db.fetchval(
                    "INSERT INTO api_partnership (first_id, second_id, created_at) VALUES ($1, $2, now()) RETURNING id",
                    int(first.id),
                    int(second.id),
                )
                rows = await db.fetch(
                    "INSERT INTO api_dailyconnection (partnership_id, date, question)"
                    " SELECT $1, current_date - day, $3 FROM generate_series(1, $2) AS day RETURNING id",
                    partnership,
                    days,
                    QUESTION,
                )
                made.append([str(row["id"]) for row in rows])
        return made

    async def items(self, person: Person, bodies: Sequence[str]) -> Sequence[str]:
        async with sql(self._postgres, DATABASE) as db:
            rows = await db.fetch(
                "INSERT INTO api_inboxitem (recipient_id, kind, title, body, data, is_read, created_at, updated_at)"
                " SELECT $1, 'notice', 'A notice', body, '{}', false, now(), now() FROM unnest($2::text[]) AS body"
                " RETURNING id",
                int(person.id),
                bodies,
            )
        return [str(row["id"]) for row in rows]

    async def settled(self) -> None:
        """Nothing to wait for: what SQL puts into the tables is broadcast to nobody."""

    def socket(self, person: Person) -> Address:
        return Address(self._server.port, f"/ws/?token={person.token}")

    def answer(self, person: Person, question: str, text: str) -> Call:
        return self._call(person, f"daily-connections/{question}/answers/", {"text": text})

    def mark_read(self, person: Person, item: str) -> Call:
        return self._call(person, f"inbox/{item}/mark_as_read/")

    def mark_all_read(self, person: Person, newest: str) -> Call:  # noqa: ARG002 - it marks whatever there is
        return self._call(person, "inbox/mark_all_as_read/")

    def page(self, person: Person) -> Call:
        return Call.of("GET", self._server.port, "/api/inbox/", person.token)

    def _call(self, person: Person, path: str, body: object = None) -> Call:
        return Call.of("POST", self._server.port, f"/api/{path}", person.token, json.dumps(body or {}).encode())
