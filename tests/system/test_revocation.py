"""Signing out everywhere, as the person and the operator do it, in the whole system."""

import asyncio
import time

import httpx

from chassis.auth import issue_token
from chassis.settings import AuthSettings
from devstack.data_dir import DataDir
from devstack.waiting import until
from tests.system.conftest import Parts, People
from tests.system.device import Device
from tests.system.system import System

WITHIN = 5.0
"""Seconds in which it is heeded everywhere."""


def older_token(system: System, user: str) -> str:
    """One that was issued a while ago."""
    secret = DataDir(system.settings.data_dir).secret()
    return issue_token(AuthSettings(secret=secret), user, now=lambda: time.time() - 10)


async def answers(system: System, token: str) -> list[int]:
    """What the two services say to a token."""
    headers = {"Authorization": f"Bearer {token}"}
    urls = (f"{system.inbox}/items", f"{system.connection}/suggestions")
    return [(await system.http.get(url, headers=headers)).status_code for url in urls]


async def sign_out(system: System, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return await system.http.post(f"{system.connection}/sessions/revoke", headers=headers)


async def test_signing_out_everywhere_closes_the_sockets_and_refuses_the_tokens_within_5_seconds(
    system: System, people: People
) -> None:
    """At both services and at the gateway; a new token is good, and nobody else notices anything."""
    alice, bob = people.someone("alice"), people.someone("bob")
    hers, his = older_token(system, alice), older_token(system, bob)
    async with Device.open(system.push, alice, hers) as device, Device.open(system.push, bob, his) as other:
        assert await answers(system, hers) == await answers(system, his) == [200, 200]
        began = time.monotonic()
        assert (await sign_out(system, hers)).status_code == 204
        async with asyncio.timeout(WITHIN):
            assert await device.closed() == 4401
        print(f"the socket was closed after {time.monotonic() - began:.2f} s")

        async def refused() -> bool:
            return await answers(system, hers) == [401, 401]

        assert await until(refused, within=WITHIN)
        refusal = await sign_out(system, hers)
        assert (refusal.status_code, "revoked" in refusal.json()["detail"]) == (401, True)
        assert await answers(system, system.token(alice)) == await answers(system, his) == [200, 200]
        async with system.device(alice) as again:
            await system.item(alice)
            await again.event("inbox:created")
        await system.item(bob)
        await other.event("inbox:created")


async def test_services_that_start_later_refuse_what_was_revoked(parts: Parts) -> None:
    """From the first moment at which they are ready."""
    alice, bob = (People(parts.system).someone(name) for name in ("alice", "bob"))
    hers, his = older_token(parts.system, alice), older_token(parts.system, bob)
    assert (await sign_out(parts.system, hers)).status_code == 204
    async with parts.second_copy() as copy:
        assert await answers(copy, hers) == [401, 401]
        assert await answers(copy, his) == await answers(copy, copy.token(alice)) == [200, 200]
