"""Signing somebody out as an operator."""

from tests.bus_inspector.conftest import Inspect
from tests.system.conftest import People
from tests.system.system import System


async def test_an_operator_signs_somebody_out_everywhere(operate: Inspect, system: System, people: People) -> None:
    """The socket is closed and the token refused; a new one is good, and somebody else notices nothing."""
    alice, bob = people.someone("alice"), people.someone("bob")
    async with system.device(alice) as hers, system.device(bob) as his:
        said = await operate("revoke", alice)
        assert said.said(alice, "signed out everywhere")
        assert await hers.closed() == 4401
        await system.item(alice)
        async with system.device(alice) as again:
            assert again.hello["data"]["user_id"] == alice
        await system.item(bob)
        await his.event("inbox:created")
    assert (await operate("revoke", bob, "--json")).document["revoked"] == bob


async def test_without_nats_nobody_is_said_to_be_signed_out(inspect: Inspect) -> None:
    """Exit code 1, and a line that says what is away."""
    ended = await inspect("revoke", "alice", code=1, env={"NATS_URL": "nats://127.0.0.1:1"})
    assert ended.out == ""
    assert "NATS does not let us in" in ended.err
