"""While the database is away: 503 with Retry-After, readiness is false, and afterwards all is well by itself."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from chassis import migrate
from chassis.bus import Bus
from chassis.database import Database
from devstack.nats import Nats
from devstack.postgres import Postgres
from devstack.processes import running
from devstack.waiting import until
from inbox_service.app import MIGRATIONS

ClientOn = Callable[..., httpx.AsyncClient]

ID = "0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f"
ITEM = {"recipient_id": "alice", "kind": "notice", "title": "x"}

REQUESTS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/items", None),
    ("POST", "/items", ITEM),
    ("GET", f"/items/{ID}", None),
    ("POST", f"/items/{ID}/read", None),
    ("POST", "/items/read-all", {"through": ID}),
    ("DELETE", f"/items/{ID}", None),
    ("GET", "/unread-count", None),
]


@pytest.fixture
async def own_postgres(server_dir: Path) -> AsyncIterator[Postgres]:
    """A server of this test's own, to be stopped."""
    folder = server_dir / "postgres-inbox-away"
    async with running(Postgres(folder)) as server:
        await server.create_databases("inbox")
        await migrate.upgrade(server.url("inbox"), MIGRATIONS)
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
    client_on: ClientOn, app_away: FastAPI, method: str, path: str, body: dict[str, Any] | None
) -> None:
    """Not 500: it is nobody's mistake, and it passes."""
    caller = client_on(app_away, "alice", scope="inbox:write")
    assert_unavailable(await caller.request(method, path, json=body))
    assert_unavailable(await caller.request(method, path, json=body, headers={"Idempotency-Key": "k"}))


def test_no_endpoint_is_forgotten(app_away: FastAPI) -> None:
    """The list above is whole."""
    documented = app_away.openapi()["paths"].items()
    assert sum(len(methods) for path, methods in documented if path.startswith("/v1")) == len(REQUESTS)


async def test_it_lives_but_is_not_ready(client_on: ClientOn, app_away: FastAPI) -> None:
    """So it gets no requests, and is not restarted for what a restart would not mend."""
    client = client_on(app_away)
    assert (await client.get("http://test/healthz")).status_code == 200
    assert await readiness(client) == (503, False)


async def test_a_server_that_stops_midway_is_gone_for_a_while_only(
    client_on: ClientOn, app_on: Callable[..., FastAPI], own_postgres: Postgres
) -> None:
    """What was written stays; connections that died with the server are replaced without anybody's doing."""
    database = Database(own_postgres.url("inbox"), application_name="test")
    alice = client_on(app_on(database), "alice", scope="inbox:write")
    item = (await alice.post("/items", json=ITEM)).json()
    assert (await readiness(alice))[1]

    await own_postgres.stop()
    for method, path, body in REQUESTS:
        assert_unavailable(await alice.request(method, path, json=body))
    assert await readiness(alice) == (503, False)

    await own_postgres.start()

    async def recovered() -> bool:
        return (await alice.get("/items")).status_code == 200

    assert await until(recovered, within=10)
    assert (await readiness(alice))[1]
    assert (await alice.get("/items")).json()["items"] == [item]
    assert (await alice.post(f"/items/{item['id']}/read")).json()["is_read"]
    await database.close()


async def test_without_nats_it_is_not_ready_and_works_all_the_same(
    client_on: ClientOn, app_on: Callable[..., FastAPI], database: Database, bus: Bus, nats: Nats
) -> None:
    """A write needs the database only; what it means is published later."""
    alice = client_on(app_on(database, bus), "alice", scope="inbox:write")

    async def ready() -> bool:
        return (await alice.get("http://test/readyz")).status_code == 200

    async def not_ready() -> bool:
        return not await ready()

    assert await ready()
    await nats.stop()
    assert await until(not_ready, within=10)
    assert (await alice.post("/items", json=ITEM)).status_code == 201
    assert (await alice.get("/unread-count")).json() == {"unread_count": 1}
    await nats.start()
    assert await until(ready, within=10)
