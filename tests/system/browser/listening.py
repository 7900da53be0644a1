"""Owns pages that only listen: realtime.js in an empty page, which writes down what it is told, and gateways for it.

The gateways are real ones with heartbeats of a second, so that silence is noticed while a test waits for it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Page, WebSocket

from contracts.frames import PATH
from contracts.subjects import Source
from devstack.nats import Nats
from devstack.ports import HOST, free_port
from devstack.processes import running
from devstack.waiting import until
from tests.push_gateway.stage import Events, Gateway, Line, events_on, running_gateway, token_for
from tests.system.browser.conftest import Browsers

PATIENCE = 15.0
"""Seconds that a test waits for what must happen; far more than it takes."""

HEARTBEAT = 1
"""Seconds between heartbeats of the gateways here."""

LISTEN = """async ([url, user, options]) => {
  const { createRealtime } = await import("/web/realtime.js");
  window.heard = []; // the sequences of the events, as the page was told
  window.said = { status: [], hello: [], resync: [], frame: [], error: [] };
  window.wires = [];
  class Wire extends WebSocket {
    constructor(...how) {
      super(...how);
      wires.push(this);
    }
  }
  const getToken = ({ fresh }) => window.tokenOf(user, fresh);
  const random = () => options.draws?.shift() ?? Math.random();
  window.rt = createRealtime({ url, getToken, WebSocket: Wire, random, ...options });
  for (const name of ["inbox:updated", "connection_answer:created"]) {
    rt.on(name, (data, frame) => heard.push(frame.seq));
  }
  for (const name in said) {
    rt.on(name, (detail) => said[name].push(detail instanceof Error ? detail.message : detail));
  }
  rt.on("status", (change) => Object.assign(change, { pause: change.retryAt && change.retryAt - Date.now() }));
}"""
"""What the page of a tab does. The option `draws`: what the jitter draws, one after the other."""


class Tab:
    """A page that listens."""

    def __init__(self, page: Page, cdp: CDPSession, user: str) -> None:
        self.page = page
        self.user = user
        self._cdp = cdp

    async def listen(self, url: str, **options: Any) -> None:
        """Have the page begin, with further options for `createRealtime`."""
        await self.page.evaluate(LISTEN, [url, self.user, options])

    async def until(self, condition: str, argument: Any = None) -> None:
        """Wait until a JavaScript condition holds."""
        await self.page.wait_for_function(condition, arg=argument, polling=20)

    async def live(self) -> None:
        """Wait until it is connected."""
        await self.until("rt.status === 'live'")

    async def heard(self, *, at_least: int = 0) -> list[int]:
        """The sequences of the events that the page was told, when there are so many of them."""
        await self.until("(least) => heard.length >= least", at_least)
        sequences: list[int] = await self.page.evaluate("heard")
        return sequences

    async def said(self, name: str) -> list[Any]:
        """What the page was told by that name."""
        said: list[Any] = await self.page.evaluate("(name) => said[name]", name)
        return said

    async def resyncs(self) -> list[str]:
        """For which reasons the page was told to fetch its state."""
        return [why["reason"] for why in await self.said("resync")]

    async def leads(self) -> bool:
        """Whether it holds an open socket."""
        held: bool = await self.page.evaluate("wires.some((wire) => wire.readyState === WebSocket.OPEN)")
        return held

    async def freeze(self) -> None:
        """Have the page do nothing at all, as in sleep; what is sent to it waits. Browsers freeze only hidden pages."""
        paused = asyncio.Event()
        self._cdp.once("Debugger.paused", lambda _: paused.set())
        await self._cdp.send("Debugger.enable")
        await self._cdp.send("Debugger.pause")
        async with asyncio.timeout(PATIENCE):
            await paused.wait()

    async def thaw(self) -> None:
        """Let it go on."""
        await self._cdp.send("Debugger.resume")


class Somebody:
    """A browser, and the app in it that hands out tokens.

    Attributes:
        asked: who asked for a token, and whether for a fresh one.
        ttl: seconds that tokens are good for from now on.
        sockets: every one that was opened in this browser.
    """

    def __init__(self, browsers: Browsers, context: BrowserContext) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.ttl = 3600.0
        self.sockets: list[WebSocket] = []
        self._browsers = browsers
        self._context = context

    @classmethod
    async def arrive(cls, browsers: Browsers) -> "Somebody":
        """Open a browser in which nobody was before."""
        somebody = cls(browsers, await browsers.person())
        await somebody._context.expose_function("tokenOf", somebody._token_of)
        return somebody

    async def blank(self, user: str) -> Tab:
        """A page that does not listen yet."""
        page = await self._browsers.blank(self._context)
        page.on("websocket", self._opened)
        return Tab(page, await self._context.new_cdp_session(page), user)

    async def tab(self, user: str, url: str, **options: Any) -> Tab:
        """A page that is connected."""
        tab = await self.blank(user)
        await tab.listen(url, **options)
        await tab.live()
        return tab

    async def network(self, *, there: bool) -> None:
        """Pull the plug, or put it in again."""
        await self._context.set_offline(not there)

    @property
    def fresh(self) -> int:
        """How many fresh tokens were asked for."""
        return sum(fresh for _, fresh in self.asked)

    def _token_of(self, user: str, fresh: bool) -> str:
        self.asked.append((user, fresh))
        return token_for(user, ttl=self.ttl)

    def _opened(self, socket: WebSocket) -> None:
        self.sockets.append(socket)


class Stage:
    """A gateway, what the relays would store, and a line to the gateway that can be cut."""

    def __init__(self, nats: Nats, events: Events, line: Line, origin: str) -> None:
        self.line = line
        self._nats = nats
        self._events = events
        self._origin = origin
        self._port = free_port()
        self._stack = contextlib.AsyncExitStack()
        self._gateway: Gateway | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, folder: Path, origin: str) -> AsyncIterator["Stage"]:
        """A stage with a NATS server of its own in `folder`, for the pages of one origin."""
        line = Line()
        async with running(Nats(folder, free_port(), sink=lambda *_: None)) as nats, events_on(nats) as events:
            stage = cls(nats, events, line, origin)
            await stage.start()
            try:
                async with line.to(stage._port):
                    yield stage
            finally:
                await stage.stop()

    @property
    def url(self) -> str:
        """Where the gateway is."""
        return f"ws://{HOST}:{self._port}{PATH}"

    @property
    def url_by_line(self) -> str:
        """The same, by way of the line."""
        return f"ws://{HOST}:{self.line.port}{PATH}"

    async def start(self, *, heartbeat: int = HEARTBEAT) -> None:
        """Start the gateway, always on the same port."""
        variables: dict[str, Any] = {
            "PUSH_PORT": self._port,
            "PUSH_HEARTBEAT": heartbeat,
            "ALLOWED_ORIGINS": self._origin,
        }
        self._gateway = await self._stack.enter_async_context(running_gateway(self._nats, **variables))

    async def stop(self) -> None:
        """Stop it, as a deploy does."""
        await self._stack.aclose()

    async def store(self, user: str, count: int = 1, sources: Sequence[Source] = ("inbox", "connection")) -> list[int]:
        """Store events for `user`; their sequences."""
        return [stored.seq for stored in await self._events.store(user, count, sources=sources)]

    async def sockets(self) -> int:
        """How many sockets the gateway holds."""
        assert self._gateway is not None, "it was started"
        return int(await self._gateway.count("tandem_push_sockets "))

    async def holds(self, sockets: int) -> bool:
        """Whether the gateway comes to hold so many."""

        async def counted() -> bool:
            return await self.sockets() == sockets

        return await until(counted, within=PATIENCE)


@contextlib.asynccontextmanager
async def storing(stage: Stage, user: str) -> AsyncIterator[list[int]]:
    """Store events for `user` all the time while the block runs; the list of their sequences grows."""
    sequences: list[int] = []
    stop = asyncio.Event()

    async def store() -> None:
        while not stop.is_set():
            sequences.extend(await stage.store(user, 2))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await stop.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(store(), name=f"events of {user}")
        yield sequences
        stop.set()
