"""While the database is away: 503 with Retry-After, readiness is false, and afterwards all is well by itself."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from chassis import migrate
from chassis.bus import Bus
from chassis.database import Database
from connection_service.app import MIGRATIONS
from devstack.nats import Nats
from devstack.postgres import Postgres
from devstack.processes import running
from devstack.waiting import until

Join = Callable[..., Awaitable[dict[str, Any]]]
ClientOn = Callable[..., httpx.AsyncClient]

REQUESTS: list[tuple[str, str, dict[str, str] | None]] = [
    ("POST", "/partnership/invites", {}),
    ("POST", "/partnership/accept", {"code": "ABCDEFGHJK"}),
    ("GET", "/partnership", None),
    ("DELETE", "/partnership", None),
    ("GET", "/daily-connections", None),
    ("GET", "/daily-connections/today", None),
    ("POST", "/daily-connections/0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f/answers", {"text": "x"}),
    ("GET", "/suggestions", None),
]


@pytest.fixture
async def own_postgres(server_dir: Path) -> AsyncIterator[Postgres]:
    """A server of this test's own, to be stopped."""
    folder = server_dir / "postgres-connection-away"
    async with running(Postgres(folder)) as server:
        await server.create_databases("connection")
        await migrate.upgrade(server.url("connection"), MIGRATIONS)
        yield server
    shutil.rmtree(folder)


def assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 503


async def readiness(client: httpx.AsyncClient) -> tuple[int, bool]:
    answer = await client.get("http://test/readyz")
    return answer.status_code, answer.json()["database"]


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
async def test_every_endpoint_says_that_it_is_to_be_tried_again(
    client_on: ClientOn, app_away: FastAPI, method: str, path: str, body: dict[str, str] | None
) -> None:
    """Not 500: it is nobody's mistake, and it passes."""
    alice = client_on(app_away, "alice")
    assert_unavailable(await alice.request(method, path, json=body))
    assert_unavailable(await alice.request(method, path, json=body, headers={"Idempotency-Key": "k"}))


def test_no_endpoint_is_forgotten(app_away: FastAPI) -> None:
    """The list above is whole; whoever signs out needs the bus, and no database."""
    documented = app_away.openapi()["paths"].items()
    asking = [methods for path, methods in documented if path.startswith("/v1") and path != "/v1/sessions/revoke"]
    assert sum(len(methods) for methods in asking) == len(REQUESTS)


async def test_it_lives_but_is_not_ready(client_on: ClientOn, app_away: FastAPI) -> None:
    """So it gets no requests, and is not restarted for what a restart would not mend."""
    client = client_on(app_away)
    assert (await client.get("http://test/healthz")).status_code == 200
    assert await readiness(client) == (503, False)


async def test_a_database_that_was_not_migrated_is_not_ready(
    client_on: ClientOn, app_on: Callable[..., FastAPI], postgres: Postgres
) -> None:
    """The migration may still be running."""
    database = Database(postgres.url("postgres"), application_name="test")
    assert await readiness(client_on(app_on(database))) == (503, False)
    await database.close()


async def test_a_server_that_stops_midway_is_gone_for_a_while_only(
    client_on: ClientOn, app_on: Callable[..., FastAPI], own_postgres: Postgres, join: Join
) -> None:
    """What was written stays; connections that died with the server are replaced without anybody's doing."""
    database = Database(own_postgres.url("connection"), application_name="test")
    app = app_on(database)
    alice, bob = client_on(app, "alice"), client_on(app, "bob")
    partnership = await join(alice, bob)
    assert (await readiness(alice))[1]

    await own_postgres.stop()
    for method, path, body in REQUESTS:
        assert_unavailable(await alice.request(method, path, json=body))
    assert await readiness(alice) == (503, False)

    await own_postgres.start()

    async def recovered() -> bool:
        return (await alice.get("/partnership")).status_code == 200

    assert await until(recovered, within=10)
    assert (await readiness(alice))[1]
    assert (await bob.get("/partnership")).json() == partnership
    today = (await bob.get("/daily-connections/today")).json()["id"]
    assert (await bob.post(f"/daily-connections/{today}/answers", json={"text": "x"})).status_code == 201
    await database.close()


async def test_without_nats_it_is_not_ready_and_works_all_the_same(
    client_on: ClientOn, app_on: Callable[..., FastAPI], database: Database, bus: Bus, nats: Nats, join: Join
) -> None:
    """A write needs the database only; what it means is published later."""
    app = app_on(database, bus)
    alice, bob = client_on(app, "alice"), client_on(app, "bob")

    async def ready() -> bool:
        return (await alice.get("http://test/readyz")).status_code == 200

    async def not_ready() -> bool:
        return not await ready()

    assert await ready()
    await nats.stop()
    assert await until(not_ready, within=10)
    await join(alice, bob)
    today = (await bob.get("/daily-connections/today")).json()["id"]
    assert (await bob.post(f"/daily-connections/{today}/answers", json={"text": "x"})).status_code == 201
    await nats.start()
    assert await until(ready, within=10)
