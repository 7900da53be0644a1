"""Stopping: everybody is sent away in good time, and comes back elsewhere."""

import asyncio
import os
import signal

import pytest

from devstack.processes import running
from devstack.waiting import until
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.conftest import Connect, ConnectRaw
from tests.push_gateway.stage import Events, MonitoredNats, gateway_process, running_gateway


async def test_a_stop_sends_everybody_away_spread_over_time(
    connect: Connect, nats: MonitoredNats, own_events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1001, one after another; meanwhile it is not ready, new sockets get 1001 too, and those still there go on."""
    monkeypatch.setattr("push_gateway.server.DRAIN_RATE", 20)
    async with running_gateway(nats, PUSH_DRAIN=10) as gateway:
        clients = [await connect("alice", to=gateway) for _ in range(20)]
        gateway.stop.set()
        assert await until(lambda: not all(client.open_still for client in clients), within=PATIENCE)
        still_there = [client for client in clients if client.open_still]
        assert len(still_there) > len(clients) / 2
        assert await gateway.is_not_ready()
        assert await gateway.is_alive()
        late = await connect("alice", to=gateway)
        assert ((await late.closed()).code, late.frames) == (1001, [])
        [stored] = await own_events.store("alice")
        assert await until(lambda: any(client.events == [stored.frame] for client in still_there), within=PATIENCE)
        assert {(await client.closed()).code for client in clients} == {1001}
        await gateway.task


async def test_the_drain_time_is_an_upper_bound(connect: Connect, nats: MonitoredNats, own_events: Events) -> None:
    """With none at all everybody goes at once."""
    async with running_gateway(nats, PUSH_DRAIN=0) as gateway:
        clients = [await connect("alice", to=gateway) for _ in range(20)]
        gateway.stop.set()
        await gateway.task
        assert {(await client.closed()).code for client in clients} == {1001}


async def test_nothing_is_lost_by_moving_to_another_gateway(
    connect: Connect, nats: MonitoredNats, own_events: Events
) -> None:
    """A deploy: the device comes back with its position and goes on."""
    async with running_gateway(nats) as new:
        async with running_gateway(nats) as old:
            device = await connect("alice", to=old)
            hello = await device.hello()
            before = await own_events.store("alice", 2)
            await device.take(2)
            old.stop.set()
            assert (await device.closed()).code == 1001
            between = await own_events.store("alice", 2)
        query = f"epoch={hello['data']['epoch']}&since={before[-1].seq}"
        device = await connect("alice", to=new, query=query)
        after = await own_events.store("alice", 2)
        assert await device.take(4) == [event.frame for event in between + after]


async def test_sigterm_ends_the_process(
    connect: Connect, nats: MonitoredNats, own_events: Events, connect_raw: ConnectRaw
) -> None:
    """With exit code 0, when everybody has been told; a client that reads nothing does not hold it up."""
    child, gateway = gateway_process(nats)
    async with running(child):
        clients = [await connect("alice", to=gateway) for _ in range(10)]
        await connect_raw("bob", to=gateway)
        await own_events.store("bob", 60, size=100_000)
        os.kill(child.pid, signal.SIGTERM)
        assert {(await client.closed()).code for client in clients} == {1001}
        async with asyncio.timeout(PATIENCE):
            assert await child.wait() == 0


async def test_sigterm_ends_a_process_that_never_got_ready(nats: MonitoredNats) -> None:
    """While it waits for NATS it can be stopped like at any other time."""
    await nats.stop()
    child, gateway = gateway_process(nats)
    await child.spawn()
    try:
        assert await until(gateway.is_alive, within=PATIENCE)
        os.kill(child.pid, signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await child.wait() == 0
    finally:
        await child.stop()
