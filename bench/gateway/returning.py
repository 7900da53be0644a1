"""Owns devices that all come back at once to what they have missed. Runs in a process of its own."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import uvloop

from bench.gateway.clients import Client
from bench.gateway.load import Stored
from contracts.subjects import SOURCES

SPREAD = 2.0
"""Seconds over which they come, as clients do that draw their waiting time ("full jitter")."""

DEADLINE = 300.0
"""Seconds; only so that a run ends."""


@dataclass(frozen=True)
class Plan:
    """Who comes back, and to what.

    Attributes:
        tokens: one for each user, by number.
        devices: of each user.
        further: events of each user that come while the devices do.
    """

    port: int
    epoch: str
    tokens: Sequence[str]
    devices: int
    stored: Stored
    further: int


@dataclass(frozen=True)
class Outcome:
    """What became of them.

    Attributes:
        began: when the first one came, on the monotonic clock, which all processes share.
        greeted: when each was greeted, sorted.
        whole: when each had all that it had missed, sorted.
        complaints: devices that got something else than they had missed, in order and once, and what happened to them.
        after: by the number of the user, the sequences that each device was sent behind that.
    """

    began: float
    greeted: list[float]
    whole: list[float]
    complaints: list[str]
    after: list[list[list[int]]]


def come_back(plan: Plan) -> Outcome:
    """All devices at once."""
    return uvloop.run(_come_back(plan))


async def _come_back(plan: Plan) -> Outcome:
    since = plan.stored.first - 1
    positions: dict[str, int] = dict.fromkeys(SOURCES, since)
    query = urlencode({"epoch": plan.epoch, "since": since, **positions})
    clients = [[Client(token, query=query) for _ in range(plan.devices)] for token in plan.tokens]
    began = time.monotonic()
    whole: list[float] = []
    complaints: list[str] = []

    async def one(user: int, client: Client) -> None:
        await asyncio.sleep(random.uniform(0, SPREAD))  # noqa: S311 - not a secret
        missed = client.until(plan.stored.events)
        everything = client.until(plan.stored.events + plan.further)
        try:
            async with asyncio.timeout(DEADLINE):
                await client.connect(plan.port)
                whole.append(await missed)
                await everything
        except (OSError, TimeoutError) as error:
            complaints.append(f"user {user}: {client.ended or repr(error)} after {len(client.sequences)} events")
        got = client.sequences[: plan.stored.events].tolist()
        if got != list(plan.stored.sequences(user)):
            complaints.append(f"user {user} was not sent what it had missed, in order and once: {len(got)} events")

    await asyncio.gather(*(one(user, client) for user, devices in enumerate(clients) for client in devices))
    greeted = sorted(client.greeted_at for devices in clients for client in devices)
    after = [[client.sequences[plan.stored.events :].tolist() for client in devices] for devices in clients]
    for client in (client for devices in clients for client in devices):
        if not client.ended:
            client.transport.abort()
    return Outcome(began, greeted, sorted(whole), complaints, after)
