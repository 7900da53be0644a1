"""The one place where this service is put together."""

import asyncio

from chassis.auth import Authenticator
from chassis.bus import Bus
from chassis.process import Service, listen, run_together
from chassis.settings import AuthSettings, BusSettings
from chassis.streams import Stream
from contracts import streams
from push_gateway import workers
from push_gateway.direct import DirectGet
from push_gateway.hub import Hub
from push_gateway.inspection import Inspection, name_of
from push_gateway.overload import Overload
from push_gateway.reader import Reader
from push_gateway.replays import Replays
from push_gateway.scan import Scan
from push_gateway.server import PushServer
from push_gateway.settings import Settings
from push_gateway.stream_state import StreamWatch
from push_gateway.subscriber import Subscriber
from push_gateway.sweep import Sweep
from push_gateway.ticker import Ticker

NAME = "push_gateway"


async def serve(settings: Settings, auth: AuthSettings, nats: BusSettings, stop: asyncio.Event) -> None:
    """Run until `stop` is set."""
    if workers.is_worker():
        listener = workers.inherited(stop)
    else:
        listener = listen(settings.host, settings.port, variable="PUSH_PORT")
    client, reading_client = Subscriber(), Subscriber()
    bus = Bus(nats.url, name=NAME, nkey_seed_file=nats.nkey_seed_file, client=client)
    reading_bus = Bus(nats.url, name=f"{NAME} reads", nkey_seed_file=nats.nkey_seed_file, client=reading_client)
    stream = Stream(bus, streams.EVENTS, replicas=nats.replicas)
    direct, watch = DirectGet(reading_client, stream.name), StreamWatch(stream)
    reader = Reader(direct)
    replays = Replays(reader, lambda seq: Scan(reading_client, stream.name, after=seq), watch)
    hub = Hub(bus, client, reader, replays, watch, heartbeat=settings.heartbeat)
    sweep = Sweep(bus, hub, direct, watch)
    ticker = Ticker(heartbeat=settings.heartbeat, heartbeat_for=hub.heartbeat_for)
    server = PushServer(listener, hub, ticker, Authenticator.of(auth), settings, ready=lambda: hub.ready)
    overload = Overload(server.sessions, settings.max_unsent)
    inspection = Inspection(bus, hub, server.sessions, name_of(listener))
    hub.on_leave(inspection.remember)
    services: list[Service] = [bus, reading_bus, direct, replays, hub, sweep, ticker, overload, inspection, server]
    await run_together(services, stop=stop, drain=server.drain)
