"""One item: put in by a service, read, removed; and nobody else's business."""

import datetime as dt
import uuid
from collections.abc import Awaitable, Callable

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

Put = Callable[..., Awaitable[str]]
Sql = Callable[..., Awaitable[list[asyncpg.Record]]]

OWN = {"recipient_id", "sender_id", "kind", "title", "body", "data"}
KEPT = {"id", "is_read", "read_at", "created_at", "updated_at"}


async def unread(who: httpx.AsyncClient) -> int:
    count: int = (await who.get("/unread-count")).json()["unread_count"]
    return count


async def test_an_item_is_what_the_service_put_in(alice: httpx.AsyncClient, writer: httpx.AsyncClient) -> None:
    """It is unread, and the recipient sees exactly what the service was answered."""
    item = {
        "recipient_id": "alice",
        "sender_id": "bob",
        "kind": "suggestion",
        "title": "Tell me",
        "body": 'The "sea" 🌊\n',
        "data": {"a": [1, 1.5, None, True, {"b": "\\u0000 é"}]},
    }
    made = await writer.post("/items", json=item)
    assert made.status_code == 201
    stored = made.json()
    assert set(stored) == OWN | KEPT
    assert {name: stored[name] for name in OWN} == item
    assert (stored["is_read"], stored["read_at"]) == (False, None)
    assert stored["created_at"].endswith("Z")
    assert uuid.UUID(stored["id"]).version == 7
    assert (await alice.get(f"/items/{stored['id']}")).json() == stored


async def test_body_data_and_sender_may_be_left_out(alice: httpx.AsyncClient, put: Put) -> None:
    """They are empty then."""
    item = (await alice.get(f"/items/{await put('alice')}")).json()
    assert (item["body"], item["data"], item["sender_id"]) == ("", {}, None)


@pytest.mark.parametrize("scope", ["", "inbox", "inbox:read", "inbox:writer", "inbox:write2 connection:write"])
async def test_a_token_without_the_scope_puts_nothing_in(
    client_on: Callable[..., httpx.AsyncClient], app_away: FastAPI, scope: str
) -> None:
    """Not into somebody else's inbox and not into one's own; the database, which is away, is not even asked."""
    alice = client_on(app_away, "alice", scope=scope)
    for recipient in ("alice", "bob"):
        item = {"recipient_id": recipient, "kind": "notice", "title": "x"}
        refused = await alice.post("/items", json=item, headers={"Idempotency-Key": "k"})
        assert refused.status_code == 403
        assert refused.headers["content-type"] == "application/problem+json"
        assert "inbox:write" in refused.json()["detail"]


async def test_reading_an_item_twice_is_as_good_as_once(alice: httpx.AsyncClient, put: Put, sql: Sql) -> None:
    """The second time changes nothing, so it is not broadcast either."""
    item = await put("alice")
    first = await alice.post(f"/items/{item}/read")
    assert first.status_code == 200
    read = first.json()
    assert read["is_read"]
    assert read["read_at"] == read["updated_at"] > read["created_at"]
    assert (await alice.post(f"/items/{item}/read")).json() == read
    assert [row["op"] for row in await sql("SELECT op FROM changes ORDER BY id")] == ["insert", "update"]


async def test_the_unread_count_follows_what_is_done(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, put: Put
) -> None:
    """Each person has their own."""
    one, other = await put("alice"), await put("alice")
    await put("bob")
    assert (await unread(alice), await unread(bob)) == (2, 1)
    await alice.post(f"/items/{one}/read")
    assert await unread(alice) == 1
    await alice.delete(f"/items/{one}")
    assert await unread(alice) == 1
    await alice.delete(f"/items/{other}")
    assert (await unread(alice), await unread(bob)) == (0, 1)


async def test_a_removed_item_is_gone(alice: httpx.AsyncClient, put: Put) -> None:
    """The first time is 204 and says nothing; then there is nothing to be found."""
    item = await put("alice")
    removed = await alice.delete(f"/items/{item}")
    assert (removed.status_code, removed.content) == (204, b"")
    for answer in (
        await alice.delete(f"/items/{item}"),
        await alice.get(f"/items/{item}"),
        await alice.post(f"/items/{item}/read"),
    ):
        assert answer.status_code == 404
    assert (await alice.get("/items")).json()["items"] == []


async def test_somebody_elses_item_is_not_found(alice: httpx.AsyncClient, bob: httpx.AsyncClient, put: Put) -> None:
    """Exactly like one that does not exist, whatever is tried; and it stays as it was."""
    item = await put("alice")
    before = (await alice.get(f"/items/{item}")).json()
    for method, path in (("GET", ""), ("POST", "/read"), ("DELETE", "")):
        foreign = await bob.request(method, f"/items/{item}{path}")
        missing = await bob.request(method, f"/items/{uuid.uuid4()}{path}")
        assert foreign.status_code == missing.status_code == 404
        assert foreign.json() == missing.json()
    assert (await alice.get(f"/items/{item}")).json() == before


async def test_the_service_that_put_an_item_in_cannot_read_it(writer: httpx.AsyncClient, put: Put) -> None:
    """Its scope is for writing."""
    assert (await writer.get(f"/items/{await put('alice')}")).status_code == 404


async def test_the_same_key_again_is_the_first_item(
    alice: httpx.AsyncClient, writer: httpx.AsyncClient, sql: Sql
) -> None:
    """Not a second row, and not a second event; also when the item has been removed since."""
    item, key = {"recipient_id": "alice", "kind": "notice", "title": "x"}, {"Idempotency-Key": "0198c5a2"}
    first = await writer.post("/items", json=item, headers=key)
    for _ in range(2):
        again = await writer.post("/items", json=item, headers=key)
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["idempotency-replayed"] == "true"
        await alice.delete(f"/items/{first.json()['id']}")
    other = await writer.post("/items", json={**item, "title": "y"}, headers=key)
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"
    assert [row["op"] for row in await sql("SELECT op FROM changes ORDER BY id")] == ["insert", "delete"]


async def test_times_are_in_utc_wherever_the_database_is(alice: httpx.AsyncClient, put: Put, sql: Sql) -> None:
    """They are the very moments that are stored."""
    item = (await alice.get(f"/items/{await put('alice')}")).json()
    await sql("SET timezone TO 'Asia/Kathmandu'")
    stored = (await sql("SELECT created_at FROM inbox_items"))[0]["created_at"]
    assert dt.datetime.fromisoformat(item["created_at"]) == stored
    assert item["created_at"].endswith("Z")
