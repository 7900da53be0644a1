"""Sockets of somebody whose tokens were revoked, and of everybody else."""

import asyncio
import time

from chassis.revocations import Revocations
from chassis.streams import Stream
from contracts import streams
from contracts.revocations import read_revocation, revocation
from contracts.subjects import user_id
from devstack.waiting import until
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.conftest import Connect
from tests.push_gateway.stage import Events, Line, MonitoredNats, running_gateway, token_for

WITHIN = 5.0
"""Seconds in which the sockets are closed."""


async def revoke(events: Events, user: str, before: float) -> None:
    """What connection_service does when somebody signs out everywhere."""
    stream = Stream(events.bus, streams.REVOCATIONS, replicas=1)
    revocations = Revocations(stream, read=read_revocation, kept=streams.REVOCATIONS.max_age)
    await revocations.say(*revocation(user_id(user), before=before))


async def test_a_revocation_closes_the_sockets_of_its_user_within_5_seconds(
    connect: Connect, events: Events, alice: str, bob: str
) -> None:
    """With 4401: get a new token, which opens a socket; the old one does not. Others' sockets stay, and deliver."""
    old = token_for(alice, now=lambda: time.time() - 10)
    sockets = [await connect(alice, token=old) for _ in range(3)]
    newer, his = await connect(alice), await connect(bob, token=token_for(bob, now=lambda: time.time() - 10))
    await revoke(events, alice, time.time() - 5)
    async with asyncio.timeout(WITHIN):
        assert [(await socket.closed()).code for socket in sockets] == [4401] * 3
    again = await connect(alice, token=old)
    closed = await again.closed()
    assert (closed.code, "revoked" in closed.reason, again.frames) == (4401, True, [])
    await (await connect(alice)).hello()
    [for_alice], [for_bob] = await events.store(alice), await events.store(bob)
    assert (await newer.take(1), await his.take(1)) == ([for_alice.frame], [for_bob.frame])


async def test_a_socket_whose_token_was_renewed_meanwhile_stays(connect: Connect, events: Events, alice: str) -> None:
    """It counts when the token was issued that the socket has now, and a revoked one does not renew anything."""
    old = token_for(alice, now=lambda: time.time() - 10)
    renewed, stale = await connect(alice, token=old), await connect(alice, token=old)
    await renewed.socket.send(f'{{"op":"auth","token":"{token_for(alice)}"}}')
    await renewed.socket.ping()  # answered behind the renewal
    await revoke(events, alice, time.time() - 5)
    assert (await stale.closed()).code == 4401
    [stored] = await events.store(alice)
    assert await renewed.take(1) == [stored.frame]
    await renewed.socket.send(f'{{"op":"auth","token":"{old}"}}')
    assert (await renewed.closed()).code == 4401


async def test_a_gateway_that_starts_later_refuses_what_was_revoked(
    connect: Connect, nats: MonitoredNats, own_events: Events
) -> None:
    """It was not there when it was said."""
    old, new = token_for("alice", now=lambda: time.time() - 10), token_for("alice")
    async with running_gateway(nats) as gateway:
        await (await connect(to=gateway, token=old)).hello()
    await revoke(own_events, "alice", time.time() - 5)
    async with running_gateway(nats) as gateway:
        refused = await connect(to=gateway, token=old)
        assert ((await refused.closed()).code, refused.frames) == (4401, [])
        await (await connect(to=gateway, token=new)).hello()
        await (await connect(to=gateway, token=token_for("bob", now=lambda: time.time() - 10))).hello()


async def test_a_gateway_that_was_cut_off_from_the_bus_heeds_it_when_it_is_back(
    connect: Connect, nats: MonitoredNats, own_events: Events
) -> None:
    """The sockets stay open meanwhile: there is nobody to say it."""
    line = Line()
    async with line.to(nats.port), running_gateway(nats, url=line.url) as gateway:
        socket = await connect(to=gateway, token=token_for("alice", now=lambda: time.time() - 10))
        line.cut()
        assert await until(gateway.is_not_ready, within=PATIENCE)
        await revoke(own_events, "alice", time.time() - 5)
        assert socket.open_still
        line.mend()
        assert (await socket.closed()).code == 4401


async def test_a_gateway_that_does_not_know_yet_lets_nobody_in(connect: Connect, nats: MonitoredNats) -> None:
    """1013, come back, and not 4401: there is nothing wrong with the token."""
    await nats.stop()
    async with running_gateway(nats, wait=False) as gateway:
        assert await until(gateway.is_alive, within=PATIENCE)
        refused = await connect("alice", to=gateway)
        closed = await refused.closed()
        assert (closed.code, "revoked" in closed.reason) == (1013, True)
        assert await gateway.is_not_ready()
        await nats.start()
