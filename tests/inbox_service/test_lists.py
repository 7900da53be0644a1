"""The list: what is in it, in which order, page by page; and marking all of it as read."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

Put = Callable[..., Awaitable[str]]
Sql = Callable[..., Awaitable[list[asyncpg.Record]]]


async def listed(who: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await who.get("/items", params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    assert set(page) == {"items", "next_cursor", "unread_count"}
    return page


def ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["items"]]


async def test_the_newest_item_comes_first(alice: httpx.AsyncClient, bob: httpx.AsyncClient, put: Put) -> None:
    """The list is whole, ends with a null, and has nobody else's items."""
    mine = [await put("alice", title=str(number)) for number in range(5)]
    theirs = await put("bob")
    page = await listed(alice)
    assert ids(page) == mine[::-1]
    assert (page["next_cursor"], page["unread_count"]) == (None, 5)
    assert ids(await listed(bob)) == [theirs]


async def test_an_empty_inbox_is_an_empty_list(alice: httpx.AsyncClient) -> None:
    """And no error."""
    assert await listed(alice) == {"items": [], "next_cursor": None, "unread_count": 0}


async def test_the_list_can_be_of_read_or_of_unread_items_only(alice: httpx.AsyncClient, put: Put) -> None:
    """The count is that of the whole inbox all the same."""
    items = [await put("alice") for _ in range(4)]
    for item in items[1:3]:
        await alice.post(f"/items/{item}/read")
    for query, expected in (("true", [items[2], items[1]]), ("false", [items[3], items[0]])):
        page = await listed(alice, is_read=query)
        assert ids(page) == expected
        assert page["unread_count"] == 2


@pytest.mark.parametrize("limit", [1, 3, 7, 8])
async def test_pages_have_no_gaps_and_no_repeats_while_new_items_arrive(
    alice: httpx.AsyncClient, put: Put, limit: int
) -> None:
    """What is newer than the first page does not shift the others; nor does what is removed from it."""
    items = [await put("alice") for _ in range(7)]
    page = await listed(alice, limit=limit)
    seen = ids(page)
    while page["next_cursor"] is not None:
        await put("alice")
        await alice.delete(f"/items/{seen[-1]}")
        page = await listed(alice, limit=limit, cursor=page["next_cursor"])
        assert 0 < len(page["items"]) <= limit
        seen += ids(page)
    assert seen == items[::-1]


async def test_a_filter_holds_for_all_pages(alice: httpx.AsyncClient, put: Put) -> None:
    """A page of unread items is full of unread ones, whatever lies between."""
    items = [await put("alice") for _ in range(6)]
    for item in items[::2]:
        await alice.post(f"/items/{item}/read")
    first = await listed(alice, limit=2, is_read="false")
    second = await listed(alice, limit=2, is_read="false", cursor=first["next_cursor"])
    assert ids(first) + ids(second) == items[5::-2]
    assert second["next_cursor"] is None


async def test_read_all_reads_everything_up_to_an_item_and_nothing_after_it(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, put: Put, sql: Sql
) -> None:
    """An item that arrives mid-click stays unread; so does everybody else's; and each change is captured once."""
    foreign = await put("bob")
    items = [await put("alice") for _ in range(3)]
    await alice.post(f"/items/{items[0]}/read")
    late = await put("alice")
    await sql("DELETE FROM changes")
    answer = await alice.post("/items/read-all", json={"through": items[2]})
    assert (answer.status_code, answer.json()) == (200, {"updated": 2})
    assert ids(await listed(alice, is_read="false")) == [late]
    assert (await listed(bob))["unread_count"] == 1
    assert (await bob.get(f"/items/{foreign}")).json()["is_read"] is False
    changed = await sql("SELECT op, row ->> 'id' AS id FROM changes ORDER BY id")
    assert sorted((row["op"], row["id"]) for row in changed) == sorted(("update", item) for item in items[1:])


async def test_read_all_again_changes_nothing(alice: httpx.AsyncClient, put: Put) -> None:
    """So a button may be pressed twice."""
    item = await put("alice")
    assert (await alice.post("/items/read-all", json={"through": item})).json() == {"updated": 1}
    assert (await alice.post("/items/read-all", json={"through": item})).json() == {"updated": 0}


async def test_read_all_up_to_somebody_elses_item_is_not_found(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, put: Put
) -> None:
    """And nothing is marked."""
    await put("alice")
    foreign = await put("bob")
    assert (await alice.post("/items/read-all", json={"through": foreign})).status_code == 404
    assert (await listed(alice))["unread_count"] == (await listed(bob))["unread_count"] == 1


async def test_read_all_up_to_an_item_that_another_device_has_just_removed(alice: httpx.AsyncClient, put: Put) -> None:
    """The id still says up to where: what came after it stays unread."""
    await put("alice")
    gone = await put("alice")
    await put("alice")
    await alice.delete(f"/items/{gone}")
    assert (await alice.post("/items/read-all", json={"through": gone})).json() == {"updated": 1}
    nothing = uuid.UUID(int=0)
    assert (await alice.post("/items/read-all", json={"through": str(nothing)})).json() == {"updated": 0}
    assert (await listed(alice))["unread_count"] == 1
