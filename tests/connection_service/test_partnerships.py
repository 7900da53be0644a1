"""How two people become partners, and how that ends."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy.exc import IntegrityError

from chassis.database import Database
from connection_service import queries
from connection_service.partnerships import CODE_ALPHABET, CODE_LENGTH, INVITE_LIFETIME

Codes = Callable[..., Awaitable[str]]
Sql = Callable[..., Awaitable[list[asyncpg.Record]]]
Join = Callable[..., Awaitable[dict[str, Any]]]


async def accept(who: httpx.AsyncClient, code: str) -> httpx.Response:
    return await who.post("/partnership/accept", json={"code": code})


async def test_an_invite_is_a_code_that_is_easy_to_read_out(alice: httpx.AsyncClient, times: list[dt.datetime]) -> None:
    """It has no characters that are mistaken for one another, and says until when it works."""
    invite = (await alice.post("/partnership/invites")).json()
    assert set(invite) == {"code", "expires_at"}
    assert len(invite["code"]) == CODE_LENGTH
    assert set(invite["code"]) <= set(CODE_ALPHABET)
    assert dt.datetime.fromisoformat(invite["expires_at"]) == times[-1] + INVITE_LIFETIME
    assert invite["expires_at"].endswith("Z")


async def test_no_two_invites_have_the_same_code(alice: httpx.AsyncClient, code_of: Codes) -> None:
    """A person may have several open invites."""
    assert len({await code_of(alice) for _ in range(5)}) == 5


async def test_who_accepts_is_the_partner_of_who_invited(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, code_of: Codes
) -> None:
    """Both see the same partnership."""
    accepted = await accept(bob, await code_of(alice, time_zone="Europe/Berlin"))
    assert accepted.status_code == 201
    partnership = accepted.json()
    assert set(partnership) == {"id", "members", "time_zone", "created_at"}
    assert partnership["members"] == ["alice", "bob"]
    assert partnership["time_zone"] == "Europe/Berlin"
    for one in (alice, bob):
        assert (await one.get("/partnership")).json() == partnership


async def test_somebody_else_has_no_part_in_it(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, carol: httpx.AsyncClient, join: Join
) -> None:
    """A stranger sees no partnership and cannot end one."""
    await join(alice, bob)
    assert (await carol.get("/partnership")).status_code == 404
    assert (await carol.delete("/partnership")).status_code == 404
    assert (await alice.get("/partnership")).status_code == 200


async def test_a_code_may_be_typed_in_lower_case_and_with_blanks_around_it(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, code_of: Codes
) -> None:
    """It was read out, after all."""
    assert (await accept(bob, f" {(await code_of(alice)).lower()}\n")).status_code == 201


async def test_a_code_works_once(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, carol: httpx.AsyncClient, code_of: Codes
) -> None:
    """Whoever comes second is told so, also after the partnership has ended."""
    code = await code_of(alice)
    assert (await accept(bob, code)).status_code == 201
    assert (await accept(carol, code)).status_code == 410
    await alice.delete("/partnership")
    second = await accept(carol, code)
    assert second.status_code == 410
    assert second.json()["errors"][0]["field"] == "code"


async def test_a_code_expires(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, code_of: Codes, times: list[dt.datetime]
) -> None:
    """It works until its last moment and not at it."""
    late, just = await code_of(alice), await code_of(alice)
    end = times[-1] + INVITE_LIFETIME
    times.append(end)
    assert (await accept(bob, late)).status_code == 410
    times.append(end - dt.timedelta(milliseconds=1))
    assert (await accept(bob, just)).status_code == 201


async def test_an_unknown_code_is_not_found(bob: httpx.AsyncClient) -> None:
    """The answer names the field."""
    answer = await accept(bob, "NOSUCHCODE")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["field"] == "code"


async def test_nobody_is_their_own_partner(alice: httpx.AsyncClient, bob: httpx.AsyncClient, code_of: Codes) -> None:
    """One's own code is refused and stays good for somebody else."""
    code = await code_of(alice)
    assert (await accept(alice, code)).status_code == 422
    assert (await accept(bob, code)).status_code == 201


async def test_who_has_a_partner_can_neither_invite_nor_accept(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, carol: httpx.AsyncClient, code_of: Codes, join: Join
) -> None:
    """A person has at most one partner; the code that was refused stays good."""
    code = await code_of(carol)
    await join(alice, bob)
    for one in (alice, bob):
        assert (await one.post("/partnership/invites")).status_code == 409
        assert (await accept(one, code)).status_code == 409
    assert (await accept(bob, code)).json()["detail"].startswith("you have already a partner")
    await bob.delete("/partnership")
    assert (await accept(bob, code)).status_code == 201


async def test_an_old_code_of_somebody_who_has_found_a_partner_is_refused(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, carol: httpx.AsyncClient, code_of: Codes, join: Join
) -> None:
    """And the refusal says whose partner it is about."""
    code = await code_of(alice)
    await join(alice, bob)
    answer = await accept(carol, code)
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("whoever invited you has already a partner")


@pytest.mark.parametrize("people", [2, 8])
async def test_of_people_who_accept_one_code_at_once_one_succeeds(
    alice: httpx.AsyncClient, person: Callable[..., httpx.AsyncClient], code_of: Codes, people: int
) -> None:
    """The others are told that it was used."""
    code = await code_of(alice)
    answers = await asyncio.gather(*(accept(person(f"user{number}"), code) for number in range(people)))
    assert sorted(answer.status_code for answer in answers) == [201] + [410] * (people - 1)


async def test_who_accepts_several_codes_at_once_has_one_partner(
    bob: httpx.AsyncClient, person: Callable[..., httpx.AsyncClient], code_of: Codes
) -> None:
    """The other codes stay good."""
    codes = [await code_of(person(f"user{number}")) for number in range(6)]
    answers = await asyncio.gather(*(accept(bob, code) for code in codes))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    unused = [code for code, answer in zip(codes, answers, strict=True) if answer.status_code == 409]
    assert (await accept(person("carol"), unused[0])).status_code == 201


async def test_two_people_who_accept_each_other_at_once_become_partners(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, code_of: Codes, sql: Sql
) -> None:
    """Once, and without waiting for one another for ever: on a slow disk the two would meet half-way."""
    await sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END'"
    )
    await sql("CREATE TRIGGER slow AFTER INSERT ON members FOR EACH ROW EXECUTE FUNCTION slow()")
    codes = await code_of(alice), await code_of(bob)
    answers = await asyncio.gather(accept(bob, codes[0]), accept(alice, codes[1]))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_the_database_itself_allows_one_partner_only(database: Database, times: list[dt.datetime]) -> None:
    """Two requests that both saw nobody partnered: the second one waits for the first and is then refused."""

    async def make(members: tuple[str, str]) -> None:
        async with database.transaction() as db:
            await queries.create_partnership(db, members, time_zone="UTC", now=times[-1])

    outcomes = await asyncio.gather(make(("alice", "bob")), make(("carol", "alice")), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)] == [IntegrityError]


async def test_ending_is_for_both(alice: httpx.AsyncClient, bob: httpx.AsyncClient, join: Join) -> None:
    """Whichever of the two ends it; and what is over cannot be ended again."""
    await join(alice, bob)
    assert (await bob.delete("/partnership")).status_code == 204
    for one in (alice, bob):
        assert (await one.get("/partnership")).status_code == 404
        assert (await one.delete("/partnership")).status_code == 404


async def test_after_the_end_both_are_free_for_somebody_else_or_one_another(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, carol: httpx.AsyncClient, join: Join
) -> None:
    """A later partnership is another one."""
    first = await join(alice, bob)
    await alice.delete("/partnership")
    second = await join(carol, alice)
    await carol.delete("/partnership")
    third = await join(bob, alice, time_zone="Asia/Tokyo")
    assert len({first["id"], second["id"], third["id"]}) == 3
    assert (await alice.get("/partnership")).json() == third
