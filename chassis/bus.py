"""Owns the connection to NATS: connecting for as long as it takes, and noticing a dead one."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.transport import TcpTransport
from nats.js import JetStreamContext

from chassis.errors import BusUnavailable

log = structlog.get_logger(__name__)

PING_INTERVAL = 2
MAX_OUTSTANDING_PINGS = 2
"""A half-open connection, or a server that is frozen, is noticed after 4 to 6 s: what it held up must be told within
15 s. nats-py's own defaults would take 6 minutes."""

CONNECT_TIMEOUT = 2
RECONNECT_WAIT = 0.25
"""Seconds between attempts: a restart of nats-server takes about a second, and each one is waited out by users."""

REQUEST_TIMEOUT = 2.0
"""Seconds for one answer of the JetStream API, which takes some milliseconds. A question to a leader that is gone is
lost, and asking the next one again is all that helps. Shorter than the time after which a silent relay is replaced."""

FLUSH_TIMEOUT = 2.0
"""Seconds that a message waits for the server to take those before it, when 2 MiB of them are waiting already."""

CLOSE_TIMEOUT = 1.0
"""Seconds that the last words may take. A dead server never takes them."""


@contextlib.contextmanager
def heeding_cancellation() -> Iterator[None]:
    """Be cancelled at the end of the block, if this task was while it waited there.

    nats-py waits with `asyncio.wait_for`, and that of Python 3.11 gives back an answer that comes in the same moment
    and forgets the cancellation (https://github.com/python/cpython/issues/86296).
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


class ImpatientClient(Client):
    """nats-py's client, which lets go of a dead connection at once, and of a question that nobody waits for any more.

    nats-py would first wait until the server has taken all that was written to it. A dead one never does, and TCP gives
    up after a quarter of an hour (https://github.com/nats-io/nats.py/issues/671). Overrides one private method and uses
    a private attribute; `tests/faults/test_wire.py` fails when an upgrade changes them.
    """

    async def request(self, *args: Any, **kwargs: Any) -> Msg:
        """What nats-py's does; the JetStream API, and publishing to a stream, ask with it."""
        with heeding_cancellation():
            return await super().request(*args, **kwargs)

    async def publish(self, *args: Any, **kwargs: Any) -> None:
        """What nats-py's does, which waits if too much is waiting to be sent."""
        with heeding_cancellation():
            await super().publish(*args, **kwargs)

    async def _attempt_reconnect(self) -> None:
        _let_go(self)
        await super()._attempt_reconnect()


def _let_go(client: Client) -> None:
    """Have a client lose its connection, and what the server has not taken yet."""
    transport = client._transport  # noqa: SLF001
    if isinstance(transport, TcpTransport) and (writer := transport._io_writer) is not None:  # noqa: SLF001
        writer.transport.abort()


def _refusal(error: Exception) -> Literal["key", "act"] | None:
    """What a server has refused, which it tells in words only."""
    told = str(error).lower()
    if "authorization violation" in told:
        return "key"
    return "act" if "permissions violation" in told else None


class Bus:
    """One connection to NATS.

    `client` may be handed in to use a subclass. `nkey_seed_file` says who we are, to servers that want to know.
    Callbacks registered with `on_reconnect` run after each new connection but the first.

    Attributes:
        refused: the last act that the server has refused us, in its words; empty if there was none.
    """

    def __init__(
        self,
        urls: tuple[str, ...],
        *,
        name: str,
        nkey_seed_file: Path | None = None,
        client: Client | None = None,
    ) -> None:
        self.name = name
        self.client = client if client is not None else ImpatientClient()
        self.refused = ""
        self._urls = urls
        self._nkey_seed_file = nkey_seed_file
        self._on_reconnect: list[Callable[[], Awaitable[None]]] = []
        self._connected = asyncio.Event()
        self._closed = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether there is a connection now, as far as is known."""
        return self._connected.is_set() and self.client.is_connected

    @property
    def jetstream(self) -> JetStreamContext:
        """The JetStream API over this connection."""
        return self.client.jetstream(timeout=REQUEST_TIMEOUT)

    def on_reconnect(self, call: Callable[[], Awaitable[None]]) -> None:
        self._on_reconnect.append(call)

    async def run(self) -> None:
        """Connect, trying for ever, and hold the connection until cancelled.

        Raises:
            BusUnavailable: nats-py has given up, as it does when the server complains of something but a lost client.
        """
        try:
            with heeding_cancellation():
                await self.client.connect(
                    list(self._urls),
                    name=self.name,
                    nkeys_seed=str(self._nkey_seed_file) if self._nkey_seed_file is not None else None,
                    error_cb=self._errored,
                    disconnected_cb=self._disconnected,
                    reconnected_cb=self._reconnected,
                    closed_cb=self._gave_up,
                    connect_timeout=CONNECT_TIMEOUT,
                    reconnect_time_wait=RECONNECT_WAIT,  # type: ignore[arg-type] # it is slept for; a fraction is fine
                    max_reconnect_attempts=-1,
                    ping_interval=PING_INTERVAL,
                    max_outstanding_pings=MAX_OUTSTANDING_PINGS,
                    flush_timeout=FLUSH_TIMEOUT,
                )
            self._connected.set()
            log.info("connected to NATS", server=self._server())
            await self._closed.wait()
            raise BusUnavailable(f"the connection was closed for good: {self.client.last_error!r}")
        finally:
            self._connected.clear()
            end = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, _let_go, self.client)
            with contextlib.suppress(nats.errors.Error, OSError):
                await self.client.close()
            end.cancel()

    async def wait_until_connected(self) -> None:
        """Wait for the first connection, for as long as it takes."""
        await self._connected.wait()

    async def nudge(self, subject: str) -> None:
        """Send an empty message if there is a connection; a hint that may be lost."""
        if self.connected:
            with contextlib.suppress(nats.errors.Error):
                await self.client.publish(subject)

    def _server(self) -> str:
        return str(self.client.connected_url.netloc) if self.client.connected_url else "?"

    async def _errored(self, error: Exception) -> None:
        match _refusal(error):
            case None:
                log.warning("NATS", error=repr(error))
            case "key":
                log.error("NATS does not let us in: see NATS_NKEY_SEED_FILE", key=str(self._nkey_seed_file))
            case "act":  # which the server has dropped; whoever did it may never be told otherwise
                self.refused = str(error).removeprefix("nats: ")
                log.error("NATS refused an act that this key does not allow", error=str(error))

    async def _disconnected(self) -> None:
        log.warning("disconnected from NATS")

    async def _gave_up(self) -> None:
        self._closed.set()

    async def _reconnected(self) -> None:
        log.info("reconnected to NATS", server=self._server())
        for call in self._on_reconnect:
            await call()
