"""What waits for all slow clients together."""

import pytest

from devstack.waiting import until
from push_gateway.session import UNSENT_MAX
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.conftest import Connect, ConnectRaw
from tests.push_gateway.stage import Events, MonitoredNats, running_gateway

TOO_SLOW = 'tandem_push_refusals_total{code="4408"}'
LARGE = 60_000
"""Bytes of an event."""

WAITING = UNSENT_MAX * 3 // 4
"""Bytes that wait for each client that does not read: below its own limit."""

CLIENTS = 6


async def test_when_too_much_waits_in_all_the_slowest_are_closed(
    connect: Connect,
    connect_raw: ConnectRaw,
    nats: MonitoredNats,
    own_events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many as it takes, though none is beyond its own limit; who reads is not among them."""
    monkeypatch.setattr("push_gateway.overload.EVERY", 0.05)
    async with running_gateway(nats, PUSH_MAX_UNSENT=2 * UNSENT_MAX) as gateway:
        before = await gateway.count(TOO_SLOW)
        for number in range(CLIENTS):
            await connect_raw(f"silent{number}", to=gateway)
        reader = await connect("reader", to=gateway)
        stored = []
        for _ in range(WAITING // LARGE):
            for number in range(CLIENTS):
                await own_events.store(f"silent{number}", size=LARGE)
            stored += await own_events.store("reader", size=LARGE)

        async def some_are_closed() -> bool:
            return await gateway.count(TOO_SLOW) > before

        assert await until(some_are_closed, within=PATIENCE)
        assert await reader.take(len(stored)) == [event.frame for event in stored]
        assert await gateway.count(TOO_SLOW) - before < CLIENTS
