"""A wire between a client and NATS: what is done to it, and that the client of our services notices."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import nats.errors
import pytest

import chassis.bus
from bench.faults.wire import Wire
from chassis.bus import Bus
from devstack.nats import Nats
from devstack.ports import HOST
from devstack.waiting import until


@pytest.fixture
async def wire(nats: Nats) -> AsyncIterator[Wire]:
    """A wire to the server."""
    wire = Wire(nats.port)
    async with wire.running():
        yield wire


@pytest.fixture
async def wired(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bus]:
    """A connection through it, which is in a hurry to notice that it is dead."""
    monkeypatch.setattr(chassis.bus, "PING_INTERVAL", 0.1)
    bus = Bus((f"nats://{HOST}:{wire.port}",), name="test")
    task = asyncio.create_task(bus.run())
    async with asyncio.timeout(10):
        await bus.wait_until_connected()
    yield bus
    task.cancel()
    await asyncio.wait([task])


async def answers(bus: Bus) -> None:
    """Ask the server for something; raises if it does not answer."""
    await bus.jetstream.account_info()


def reconnection(bus: Bus) -> asyncio.Event:
    """Set as soon as there is a new connection."""
    again = asyncio.Event()

    async def reconnected() -> None:
        again.set()

    bus.on_reconnect(reconnected)
    return again


async def flood(bus: Bus) -> None:
    """Send more than the kernel takes for a server that takes nothing."""
    with contextlib.suppress(nats.errors.Error):  # it is told sooner or later that there is no room
        for _ in range(200):
            await bus.client.publish("flood", bytes(100_000))


async def test_what_is_said_is_carried_in_both_directions(wire: Wire, wired: Bus) -> None:
    assert wire.audible == 1
    await answers(wired)


async def test_a_silent_connection_is_left_for_a_new_one(wire: Wire, wired: Bus) -> None:
    """Neither side is told: it is open, and nothing comes any more."""
    again = reconnection(wired)
    wire.silence()
    assert wire.audible == 0
    assert wired.connected
    async with asyncio.timeout(10):
        await again.wait()
    assert await until(lambda: wire.audible == 1, within=10)
    await answers(wired)


async def test_a_silent_connection_is_left_also_with_much_that_nobody_has_taken(wire: Wire, wired: Bus) -> None:
    """Left to itself, nats-py would wait for that to be taken, until TCP gives up."""
    again = reconnection(wired)
    wire.silence()
    flooding = asyncio.create_task(flood(wired))
    async with asyncio.timeout(10):
        await again.wait()
    await flooding
    await answers(wired)


async def test_a_silent_connection_with_much_that_nobody_has_taken_does_not_keep_a_process_from_ending(
    wire: Wire, nats: Nats
) -> None:
    bus = Bus((f"nats://{HOST}:{wire.port}",), name="test")
    task = asyncio.create_task(bus.run())
    async with asyncio.timeout(10):
        await bus.wait_until_connected()
    wire.silence()
    flooding = asyncio.create_task(flood(bus))
    assert await until(lambda: bus.client.pending_data_size > 0, within=10)
    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait([task, flooding])


async def test_a_severed_wire_carries_nothing_until_it_is_mended(wire: Wire, wired: Bus) -> None:
    """The connection ends at once, and no other can be had."""
    with wire.severed():
        assert await until(lambda: not wired.connected, within=10)
        assert wire.audible == 0
    assert await until(lambda: wired.connected, within=10)
    await answers(wired)
