"""The two lists, history and suggestions: what is in them, in which order, and page by page."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

Join = Callable[..., Awaitable[dict[str, Any]]]
Days = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def ask(set_clock: Callable[[str], None]) -> Days:
    """`await ask(alice, 1, 5)` lets her be asked on the first to the fifth of March; the ids, the latest first."""

    async def asked(who: httpx.AsyncClient, first: int, last: int) -> list[str]:
        ids = []
        for day in range(first, last + 1):
            set_clock(f"2026-03-{day:02}T12:00:00Z")
            ids.append((await who.get("/daily-connections/today")).json()["id"])
        return ids[::-1]

    return asked


async def listed(who: httpx.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    answer = await who.get(path, params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    assert set(page) == {"items", "next_cursor"}
    return page


def ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["items"]]


async def answer(who: httpx.AsyncClient, connection: str) -> None:
    given = await who.post(f"/daily-connections/{connection}/answers", json={"text": "The sea"})
    assert given.status_code == 201


async def test_the_history_has_every_day_the_latest_first(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join, ask: Days
) -> None:
    """It is the same for both, with the answers, and ends with a null."""
    await join(alice, bob)
    asked = await ask(alice, 1, 4)
    await answer(bob, asked[2])
    page = await listed(alice, "/daily-connections")
    assert ids(page) == asked
    assert page["next_cursor"] is None
    assert [len(day["answers"]) for day in page["items"]] == [0, 0, 1, 0]
    assert await listed(bob, "/daily-connections") == page


async def test_somebody_else_finds_nothing_in_either_list(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, carol: httpx.AsyncClient, join: Join, ask: Days
) -> None:
    """A stranger's lists are empty; that is no error."""
    await join(alice, bob)
    await ask(alice, 1, 2)
    for path in ("/daily-connections", "/suggestions"):
        assert await listed(carol, path) == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("path", ["/daily-connections", "/suggestions"])
@pytest.mark.parametrize("limit", [1, 2, 5, 6])
async def test_pages_have_no_gaps_and_no_repeats_while_new_days_come(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join, ask: Days, path: str, limit: int
) -> None:
    """What is newer than the first page does not shift the others."""
    await join(alice, bob)
    asked = await ask(alice, 1, 6)
    page = await listed(alice, path, limit=limit)
    seen = ids(page)
    day = 6
    while page["next_cursor"] is not None:
        day += 1
        await ask(bob, day, day)
        page = await listed(alice, path, limit=limit, cursor=page["next_cursor"])
        assert 0 < len(page["items"]) <= limit
        seen += ids(page)
    assert seen == asked


async def test_the_history_goes_through_all_partnerships(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, carol: httpx.AsyncClient, join: Join, ask: Days
) -> None:
    """Two partnerships may have had the same day; then too nothing is skipped between pages."""
    await join(alice, bob)
    first = await ask(alice, 1, 3)
    await alice.delete("/partnership")
    await join(carol, alice)
    second = await ask(alice, 3, 4)
    page = await listed(alice, "/daily-connections", limit=1)
    seen = ids(page)
    while page["next_cursor"] is not None:
        page = await listed(alice, "/daily-connections", limit=1, cursor=page["next_cursor"])
        seen += ids(page)
    assert seen == [*second, *first]
    assert ids(await listed(bob, "/daily-connections")) == first
    assert ids(await listed(carol, "/daily-connections")) == second


async def test_suggestions_are_what_one_has_not_answered(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join, ask: Days
) -> None:
    """Today's and those of the days before; one's own answer takes a question away from one's own list only."""
    await join(alice, bob)
    asked = await ask(alice, 1, 3)
    assert ids(await listed(alice, "/suggestions")) == asked
    await answer(alice, asked[1])
    assert ids(await listed(alice, "/suggestions")) == [asked[0], asked[2]]
    page = await listed(bob, "/suggestions")
    assert ids(page) == asked
    assert [day["author_id"] for day in page["items"][1]["answers"]] == ["alice"]


async def test_todays_question_is_suggested_before_anybody_has_looked_at_it(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join
) -> None:
    """To look at the suggestions is enough to be asked."""
    await join(alice, bob)
    suggested = ids(await listed(bob, "/suggestions"))
    assert suggested == [(await alice.get("/daily-connections/today")).json()["id"]]


async def test_questions_of_an_ended_partnership_are_not_suggested(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, carol: httpx.AsyncClient, join: Join, ask: Days
) -> None:
    """They could not be answered; those of the new partnership can."""
    await join(alice, bob)
    await ask(alice, 1, 2)
    await alice.delete("/partnership")
    assert ids(await listed(alice, "/suggestions")) == ids(await listed(bob, "/suggestions")) == []
    await join(alice, carol)
    new = await ask(alice, 3, 3)
    assert ids(await listed(alice, "/suggestions")) == new
    assert ids(await listed(bob, "/suggestions")) == []
