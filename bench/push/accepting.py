"""Owns taking apart what it costs Tandem's gateway to let one client in: its steps on the real parts, one by one.

The gateway takes these steps for many clients at once, so from outside nobody sees what belongs to which.
"""

import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from websockets.http11 import Request
from websockets.server import ServerProtocol

from bench.gateway.stage import connected
from bench.push.accounting import Cpu
from bench.push.contender import Cores
from bench.push.contenders.events_stream import EventsStream
from bench.push.contenders.tandem import Tandem
from bench.push.orders import user_name
from bench.push.rows import Row
from chassis.auth import Authenticator, issue_token
from chassis.settings import AuthSettings
from chassis.streams import Stream
from contracts import frames, streams
from contracts.subjects import push_filter, user_id
from push_gateway.address import address_of
from push_gateway.connection import INBOUND_MAX
from push_gateway.handshake import check_origin, cursor_of, token_of
from push_gateway.messages import StoredEvent
from push_gateway.subscriber import Subscriber
from push_gateway.wire import text_frame

CLIENTS: Final = 2_000
"""That each step is taken for."""

HANDSHAKE: Final = "the handshake: read, looked at and answered"
TOKEN: Final = "the token: its signature and what it claims"  # noqa: S105 - the name of a step
SUBSCRIPTION: Final = "a subscription at the broker"
QUESTION: Final = "one question to the stream's leader, shared by all who wait at the same time"
GREETING: Final = "the greeting"

STEPS: Final = (HANDSHAKE, TOKEN, SUBSCRIPTION, QUESTION, GREETING)

Step = Callable[[int], Awaitable[None]]
"""Takes it for the client with this number."""


async def measure(rounds: int, core: Cores, clients: int = CLIENTS) -> list[Row]:
    """Each step for so many clients once a round; the broker is on `core`.

    Raises:
        StackError: the broker did not start.
    """
    rows = []
    async with _steps(core, clients) as steps:
        for number in range(1, rounds + 1):
            for name in STEPS:
                step = steps[name]
                before, began = time.process_time(), time.monotonic()
                for client in range(clients):
                    await step(client)
                cpu = Cpu(time.process_time() - before, 0, 0)
                seconds = time.monotonic() - began
                row = Row(Tandem.name, number, 1, 0, "step", count=clients, seconds=seconds, cpu=cpu, step=name)
                rows.append(row)
    return rows


@contextlib.asynccontextmanager
async def _steps(core: Cores, clients: int) -> AsyncIterator[dict[str, Step]]:
    auth = AuthSettings(secret=secrets.token_hex(32))
    users = [user_id(user_name(number)) for number in range(clients)]
    tokens = [issue_token(auth, user) for user in users]
    broker, client = EventsStream(), Subscriber()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(broker.stop)
        await broker.start(core)
        bus = await stack.enter_async_context(connected(broker.nats, client))
        stream = Stream(bus, streams.EVENTS, replicas=1)

        async def handshake(number: int) -> None:
            wire = ServerProtocol(max_size=INBOUND_MAX)
            wire.receive_data(_request(tokens[number]))
            [asked] = wire.events_received()
            assert isinstance(asked, Request), "there is nothing else in it"
            address_of(asked, "127.0.0.1", ())
            wire.send_response(wire.accept(asked))
            check_origin(asked, ())
            token_of(asked)
            cursor_of(asked)
            wire.data_to_send()

        async def token(number: int) -> None:
            await Authenticator.of(auth).check(tokens[number])  # one that has never seen it

        async def subscription(number: int) -> None:
            await client.take_events(push_filter(users[number]), _nothing)

        async def question(_: int) -> None:
            await stream.info()

        async def greeting(number: int) -> None:
            text_frame(frames.hello(0, user=users[number], epoch=stream.name, resumed=False, heartbeat=25))

        yield dict(zip(STEPS, (handshake, token, subscription, question, greeting), strict=True))


def _request(token: str) -> bytes:
    """What the load generator sends."""
    lines = (
        f"GET {frames.PATH} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {frames.SUBPROTOCOL}, {frames.BEARER_PREFIX}{token}",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _nothing(_: StoredEvent) -> None:
    """No event comes."""
