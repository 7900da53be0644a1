"""The daily question: one a partnership and day."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from chassis.database import Database
from connection_service import daily
from connection_service.questions import load_catalogue
from devstack.waiting import until

Join = Callable[..., Awaitable[dict[str, Any]]]
Waits = Callable[[], Awaitable[bool]]
Sql = Callable[..., Awaitable[list[asyncpg.Record]]]


async def today(who: httpx.AsyncClient) -> dict[str, Any]:
    answer = await who.get("/daily-connections/today")
    assert answer.status_code == 200, answer.text
    connection: dict[str, Any] = answer.json()
    return connection


async def test_both_partners_are_asked_the_same(alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join) -> None:
    """And asked again on the same day, they see the same daily connection again."""
    partnership = await join(alice, bob)
    asked = await today(alice)
    assert set(asked) == {"id", "partnership_id", "date", "question", "answers"}
    assert (asked["partnership_id"], asked["date"], asked["answers"]) == (partnership["id"], "2026-03-01", [])
    assert asked["question"] in load_catalogue().values()
    assert await today(bob) == await today(alice) == asked


async def test_somebody_without_a_partner_is_asked_nothing(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, carol: httpx.AsyncClient, join: Join
) -> None:
    """Before there is a partner, and after; and a stranger never sees another pair's question."""
    assert (await alice.get("/daily-connections/today")).status_code == 404
    await join(alice, bob)
    await today(alice)
    assert (await carol.get("/daily-connections/today")).status_code == 404
    await alice.delete("/partnership")
    assert (await bob.get("/daily-connections/today")).status_code == 404


async def test_requests_at_once_make_one_daily_connection(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join, sql: Sql
) -> None:
    """Twenty of them, of both partners, and of lists too, which make today's as well."""
    await join(alice, bob)
    paths = ["/daily-connections/today", "/suggestions"] * 5
    answers = await asyncio.gather(*(who.get(path) for path in paths for who in (alice, bob)))
    assert [answer.status_code for answer in answers] == [200] * 20
    seen = [part for answer in answers for part in answer.json().get("items", [answer.json()])]
    assert len(seen) == 20
    assert len({part["id"] for part in seen}) == 1
    assert (await sql("SELECT count(*) FROM daily_connections"))[0]["count"] == 1


@pytest.mark.parametrize(
    ("time_zone", "last_moment", "first_moment", "date"),
    [
        ("UTC", "2026-02-28T23:59:59.999999Z", "2026-03-01T00:00:00Z", "2026-03-01"),
        ("Pacific/Kiritimati", "2026-06-30T09:59:59.999999Z", "2026-06-30T10:00:00Z", "2026-07-01"),
        ("America/St_Johns", "2026-01-15T03:29:59.999999Z", "2026-01-15T03:30:00Z", "2026-01-15"),
        ("America/St_Johns", "2026-03-08T03:29:59.999999Z", "2026-03-08T03:30:00Z", "2026-03-08"),  # 23 hours long
        ("America/St_Johns", "2026-03-09T02:29:59.999999Z", "2026-03-09T02:30:00Z", "2026-03-09"),
        ("Europe/Berlin", "2026-10-24T21:59:59.999999Z", "2026-10-24T22:00:00Z", "2026-10-25"),  # 25 hours long
        ("Europe/Berlin", "2026-10-25T22:59:59.999999Z", "2026-10-25T23:00:00Z", "2026-10-26"),
        ("Africa/Cairo", "2026-04-23T21:59:59.999999Z", "2026-04-23T22:00:00Z", "2026-04-24"),  # begins at 01:00
    ],
)
async def test_the_day_turns_at_midnight_where_the_partnership_is(
    alice: httpx.AsyncClient,
    bob: httpx.AsyncClient,
    join: Join,
    set_clock: Callable[[str], None],
    time_zone: str,
    last_moment: str,
    first_moment: str,
    date: str,
) -> None:
    """Not at midnight in UTC, and also on the two days a year that are shorter or longer."""
    await join(alice, bob, time_zone=time_zone)
    set_clock(last_moment)
    yesterday = await today(alice)
    set_clock(first_moment)
    new_day = await today(alice)
    assert dt.date.fromisoformat(yesterday["date"]) == dt.date.fromisoformat(date) - dt.timedelta(days=1)
    assert new_day["date"] == date
    assert new_day["question"] != yesterday["question"]


async def test_the_time_zone_of_an_invite_is_that_of_the_partnership(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join, set_clock: Callable[[str], None]
) -> None:
    """At one moment two pairs may have different days."""
    set_clock("2026-03-01T12:00:00Z")
    assert (await join(alice, bob, time_zone="Pacific/Kiritimati"))["time_zone"] == "Pacific/Kiritimati"
    assert (await today(bob))["date"] == "2026-03-02"
    await alice.delete("/partnership")
    assert (await join(alice, bob))["time_zone"] == "UTC"
    assert (await today(bob))["date"] == "2026-03-01"


async def test_no_question_is_asked_twice_in_twelve_days(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join, set_clock: Callable[[str], None]
) -> None:
    """Also where some days are skipped: nobody looked."""
    await join(alice, bob)
    questions = set()
    for day in [1, 2, 3, 5, 8, 9, 10, 11, 20, 21, 22, 31]:
        set_clock(f"2026-03-{day:02}T08:00:00Z")
        questions.add((await today(bob))["question"])
    assert len(questions) == 12


async def test_two_days_that_are_made_at_once_have_different_questions(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join, database: Database, somebody_waits: Waits
) -> None:
    """Around midnight one request is still in yesterday: the second one waits until it can see the first one's."""
    await join(alice, bob)
    evening = dt.datetime(2026, 3, 1, 23, 59, 59, tzinfo=dt.UTC)
    midnight = evening + dt.timedelta(seconds=1)

    async def made(now: dt.datetime) -> str:
        async with database.transaction() as db:
            return (await daily.today(db, "bob", load_catalogue(), now=now)).question

    async with database.transaction() as db:
        first = (await daily.today(db, "alice", load_catalogue(), now=evening)).question
        second = asyncio.create_task(made(midnight))
        assert await until(somebody_waits, within=5)
    assert await second != first


async def test_a_text_that_is_corrected_in_the_catalogue_stays_as_it_was_asked(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join, app: Any
) -> None:
    """The question is stored with the day; and one that was taken out of the catalogue can still be read."""
    await join(alice, bob)
    asked = await today(alice)
    app.state.catalogue = {"another": "Another one?"}
    assert await today(bob) == asked
