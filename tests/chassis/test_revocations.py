"""Tokens that were revoked: who is refused, who hears of it late, and what becomes of it when the stream is lost."""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable

import jwt
import pytest

from chassis.auth import Authenticator, issue_token
from chassis.bus import Bus
from chassis.errors import BusUnavailable, InvalidToken
from chassis.revocations import Revocations
from chassis.settings import AuthSettings
from chassis.streams import Stream
from contracts import streams
from contracts.revocations import read_revocation, revocation
from contracts.subjects import user_id
from devstack.nats import Nats
from devstack.waiting import until

WITHIN = 5.0
"""Seconds until a revocation is heeded everywhere."""

NOW = 2_000_000_000.0

MakeRevocations = Callable[[], Revocations]


def revocations_on(bus: Bus, **options: Callable[[], float]) -> Revocations:
    """As if in a process of its own; it follows the stream once it runs."""
    stream = Stream(bus, streams.REVOCATIONS, replicas=1)
    return Revocations(stream, read=read_revocation, kept=streams.REVOCATIONS.max_age, **options)


@contextlib.asynccontextmanager
async def following(bus: Bus) -> AsyncIterator[Revocations]:
    """One that runs and knows what is revoked."""
    revocations = revocations_on(bus)
    task = asyncio.create_task(revocations.run())
    try:
        assert await until(lambda: known(revocations), within=WITHIN)
        yield revocations
    finally:
        task.cancel()
        await asyncio.wait([task])


async def known(revocations: Revocations) -> bool:
    return revocations.known


async def revoke(revocations: Revocations, user: str, before: float) -> None:
    await revocations.say(*revocation(user_id(user), before=before))


async def heeds(revocations: Revocations, user: str, issued_at: float) -> bool:
    """Whether it soon refuses what a user was given at a moment."""

    async def refuses() -> bool:
        return revocations.revokes(user, issued_at)

    return await until(refuses, within=WITHIN)


async def test_a_token_that_was_found_good_a_moment_ago_is_refused_as_soon_as_it_is_revoked(
    bus: Bus, auth: AuthSettings
) -> None:
    """It is remembered only that it is genuine."""
    revocations = revocations_on(bus)
    authenticator = Authenticator.of(auth, revocations)
    await revocations.catch_up()
    token = issue_token(auth, "dora")
    await authenticator.check(token)
    await revoke(revocations, "dora", time.time() + 1)
    with pytest.raises(InvalidToken, match="revoked"):
        await authenticator.check(token)


async def test_what_was_issued_before_is_refused_and_what_is_issued_afterwards_is_good(
    bus: Bus, auth: AuthSettings
) -> None:
    """And so is everything of somebody else; a token that does not say when it was issued is older."""
    revocations = revocations_on(bus)
    authenticator = Authenticator.of(auth, revocations)
    moment = time.time() - 60
    await revoke(revocations, "alice", moment)
    claims = {"sub": "alice", "aud": "tandem", "iss": "tandem", "exp": time.time() + 60}
    undated = jwt.encode(claims, auth.secret or "", "HS256")
    for token in (issue_token(auth, "alice", now=lambda: moment - 0.001), undated):
        with pytest.raises(InvalidToken, match="revoked; get a new one"):
            await authenticator.check(token)
    assert (await authenticator.check(issue_token(auth, "alice", now=lambda: moment))).issued_at == moment
    await authenticator.check(issue_token(auth, "bob", now=lambda: moment - 0.001))
    await authenticator.check(jwt.encode({**claims, "sub": "bob"}, auth.secret or "", "HS256"))


async def test_nobody_is_let_in_before_it_is_known_who_was_signed_out(nats: Nats, auth: AuthSettings) -> None:
    """With an error that says to come back, not that the token is bad."""
    away = Bus((nats.url,), name="not connected")
    authenticator = Authenticator.of(auth, revocations_on(away))
    assert not authenticator.ready
    with pytest.raises(BusUnavailable, match="not known yet"):
        await authenticator.check(issue_token(auth, "alice"))


async def test_without_the_stream_nobody_was_signed_out(bus: Bus, auth: AuthSettings) -> None:
    """The first revocation makes it; whoever started before hears of it."""
    async with following(bus) as revocations:
        authenticator = Authenticator.of(auth, revocations)
        assert authenticator.ready
        await authenticator.check(issue_token(auth, "alice"))
        await revoke(revocations_on(bus), "alice", NOW)
        assert await heeds(revocations, "alice", NOW - 1)
        assert not revocations.revokes("bob", NOW - 1)


async def test_who_starts_later_reads_all_of_them(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: in several batches, of each user the last one."""
    monkeypatch.setattr("chassis.revocations.BATCH", 3)
    speaker = revocations_on(bus)
    for number in range(8):
        await revoke(speaker, f"user-{number}", NOW + number)
    await revoke(speaker, "user-0", NOW + 100)
    info = await Stream(bus, streams.REVOCATIONS, replicas=1).info()
    assert info is not None
    assert info.state.messages == 8
    later = revocations_on(bus)
    await later.catch_up()
    assert [later.revokes(f"user-{number}", NOW + number - 1) for number in range(8)] == [True] * 8
    assert [later.revokes(f"user-{number}", NOW + number) for number in range(8)] == [True] + [False] * 7
    assert later.revokes("user-0", NOW + 99)


async def test_who_was_cut_off_catches_up(nats: Nats, bus: Bus) -> None:
    """And knows meanwhile what it knew."""
    async with following(bus) as revocations:
        await revoke(revocations, "alice", NOW)
        await nats.kill()
        await nats.start()
        assert revocations.revokes("alice", NOW - 1)

        async def said() -> bool:
            with contextlib.suppress(BusUnavailable):
                await revoke(revocations_on(bus), "bob", NOW)
                return True
            return False

        assert await until(said, within=10)
        assert await heeds(revocations, "bob", NOW - 1)


async def test_a_lost_stream_takes_nothing_back(bus: Bus) -> None:
    """What is known stays, and what the new stream says from its first sequence on is heeded as well."""
    async with following(bus) as revocations:
        for user in ("alice", "carol", "dave"):
            await revoke(revocations, user, NOW)
        await bus.jetstream.delete_stream(streams.REVOCATIONS.name)
        await revoke(revocations_on(bus), "bob", NOW)
        assert await heeds(revocations, "bob", NOW - 1)
        assert revocations.revokes("alice", NOW - 1)


async def test_what_was_purged_is_not_waited_for(bus: Bus) -> None:
    """As after the time for which the stream keeps a message."""
    await revoke(revocations_on(bus), "alice", NOW)
    await bus.jetstream.purge_stream(streams.REVOCATIONS.name)
    later = revocations_on(bus)
    async with asyncio.timeout(WITHIN):
        await later.catch_up()
    assert later.known


async def test_an_earlier_moment_takes_nothing_back(bus: Bus) -> None:
    """Clocks differ, and messages may come in another order."""
    revocations = revocations_on(bus)
    await revoke(revocations, "alice", NOW)
    await revoke(revocations, "alice", NOW - 100)
    assert revocations.revokes("alice", NOW - 1)


async def test_what_is_no_revocation_stops_nothing_behind_it(bus: Bus) -> None:
    """Whoever may publish there by mistake."""
    revocations = revocations_on(bus)
    await Stream(bus, streams.REVOCATIONS, replicas=1).ensure()
    await bus.jetstream.publish(revocation(user_id("alice"), before=0)[0], b"nonsense")
    await revoke(revocations, "bob", NOW)
    assert revocations.revokes("bob", NOW - 1)
    assert not revocations.revokes("alice", None)


async def test_a_token_is_too_old_when_its_revocation_may_be_forgotten(bus: Bus) -> None:
    """So that nothing is good again that was revoked once."""
    revocations = revocations_on(bus, clock=lambda: NOW)
    await revocations.catch_up()
    kept = streams.REVOCATIONS.max_age.total_seconds()
    revocations.check("alice", NOW - kept)
    with pytest.raises(InvalidToken, match="too long ago"):
        revocations.check("alice", NOW - kept - 1)
    assert streams.REVOCATIONS.max_age == dt.timedelta(days=400)


async def test_a_revocation_that_cannot_be_stored_is_not_said_to_be(nats: Nats, bus: Bus) -> None:
    """Whoever asked for it must ask again."""
    await nats.stop()
    with pytest.raises(BusUnavailable):
        await revoke(revocations_on(bus), "alice", NOW)


async def test_it_ends_at_whatever_moment_it_is_told_to(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when an answer of the stream comes at that moment."""
    monkeypatch.setattr("chassis.revocations.EVERY", 0)
    revocations = revocations_on(bus)
    await revoke(revocations, "alice", NOW)
    for turns in range(200):
        task = asyncio.create_task(revocations.run())
        for _ in range(turns % 40):
            await asyncio.sleep(0)
        task.cancel()
        assert (await asyncio.wait([task], timeout=WITHIN))[0] == {task}
