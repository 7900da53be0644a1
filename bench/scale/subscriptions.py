"""Measures what an event costs nats-server with more and more subscriptions, one of which it is for.

One connection holds them all, as a gateway does. The stream holds an event or two of each user who was sent one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, cast

from bench.push.orders import user_name
from bench.scale.broker import IN_MICROSECONDS, Broker, Cost, broker
from bench.scale.plan import FEW, Plan
from bench.scale.rows import Row
from contracts.subjects import push_filter, user_id
from devstack.errors import StackError
from devstack.ports import HOST
from devstack.waiting import until

CONNECT: Final = b'CONNECT {"verbose":false,"headers":true}\r\n'
EMPTY: Final = b"NATS/1.0\r\n\r\n"
MESSAGE: Final = b"\nHMSG "
PING: Final = b"PING\r\n"
PONG: Final = b"PONG\r\n"
LONGEST: Final = len(MESSAGE)
"""Bytes of what is looked for; all three have so many, and no event contains one of them."""

AT_ONCE: Final = 10_000
"""Subscriptions between two questions whether the server has them."""

ARRIVING: Final = 30.0
"""Seconds for the last events to arrive."""


class Listener(asyncio.Protocol):
    """A connection that counts what it is sent: a client library would cost more than the server that is measured.

    Attributes:
        heard: messages so far.
    """

    def __init__(self) -> None:
        self.heard = 0
        self._transport: asyncio.Transport
        self._rest = b""
        self._answered = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # of TCP; uvloop's has another base
        self._transport.write(CONNECT)

    def data_received(self, data: bytes) -> None:
        text = self._rest + data
        self.heard += text.count(MESSAGE)
        if PING in text:
            self._transport.write(PONG)
        if PONG in text:
            self._answered.set()
        self._rest = text[-(LONGEST - 1) :]

    async def subscribe(self, users: range) -> None:
        """Subscribe to what is for the users of these numbers, and wait until the server has all of it."""
        for start in range(users.start, users.stop, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, users.stop))
            lines = (f"SUB {push_filter(user_id(user_name(number)))} {number}\r\n" for number in numbers)
            self._answered.clear()
            self._transport.write("".join(lines).encode() + PING)
            await self._answered.wait()

    def publish(self, subject: str) -> None:
        """Send a message with nothing in it, which nobody need want."""
        self._transport.write(f"HPUB {subject} {len(EMPTY)} {len(EMPTY)}\r\n".encode() + EMPTY + b"\r\n")

    def close(self) -> None:
        self._transport.abort()


@contextlib.asynccontextmanager
async def listening(port: int) -> AsyncIterator[Listener]:
    """One that has no subscription yet."""
    _, listener = await asyncio.get_running_loop().create_connection(Listener, HOST, port)
    try:
        yield listener
    finally:
        listener.close()


async def subscriptions(plan: Plan, number: int) -> AsyncIterator[Row]:
    """A round, size by size."""
    async with broker() as server, listening(server.stream.nats.port) as listener:
        empty, before = server.memory, 0
        for size in plan.sizes:
            cpu = server.cpu
            await listener.subscribe(range(before, size))
            figures = {"subscribe": (server.cpu - cpu) / (size - before) * IN_MICROSECONDS}
            figures["memory"], before = float(server.memory - empty), size
            figures["few"] = (await delivered(server, listener, min(FEW, size), plan.events)).us
            every = await delivered(server, listener, size, plan.events)
            yield Row("subscriptions", size, number, figures | {"all": every.us, "rate": every.rate})


async def delivered(server: Broker, listener: Listener, users: int, events: int) -> Cost:
    """Store events; each must arrive."""
    before = listener.heard
    cost = await server.store(users, events)
    if not await until(lambda: listener.heard - before >= cost.stored, within=ARRIVING):
        raise StackError(f"of {cost.stored} events that are subscribed to, {listener.heard - before} arrived")
    return cost
