"""The one place where this service is put together."""

import asyncio

from chassis.auth import Authenticator
from chassis.bus import Bus
from chassis.process import listen, run_together
from chassis.settings import AuthSettings, BusSettings
from chassis.streams import Stream
from contracts import streams
from push_gateway.direct import DirectGet
from push_gateway.hub import Hub
from push_gateway.reader import Reader
from push_gateway.server import PushServer
from push_gateway.settings import Settings
from push_gateway.stream_state import StreamWatch
from push_gateway.subscriber import Subscriber
from push_gateway.sweep import Sweep
from push_gateway.ticker import Ticker

NAME = "push_gateway"


async def serve(settings: Settings, auth: AuthSettings, nats: BusSettings, stop: asyncio.Event) -> None:
    """Run until `stop` is set."""
    listener = listen(settings.host, settings.port, variable="PUSH_PORT")
    client = Subscriber()
    bus = Bus(nats.url, name=NAME, client=client)
    stream = Stream(bus, streams.EVENTS, replicas=nats.replicas)
    direct, watch = DirectGet(client, stream.name), StreamWatch(stream)
    hub = Hub(bus, client, Reader(direct), watch, heartbeat=settings.heartbeat)
    sweep = Sweep(bus, hub, direct, watch)
    ticker = Ticker(heartbeat=settings.heartbeat, heartbeat_for=hub.heartbeat_for)
    server = PushServer(listener, hub, ticker, Authenticator.of(auth), settings, ready=lambda: hub.ready)
    await run_together([bus, hub, sweep, ticker, server], stop=stop, drain=server.drain)
