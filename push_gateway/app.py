"""The one place where this service is put together."""

import asyncio
import gc

import structlog

from chassis.auth import Authenticator
from chassis.bus import Bus
from chassis.process import Service, listen, run_together
from chassis.revocations import Revocations
from chassis.settings import AuthSettings, BusSettings
from chassis.streams import Stream
from contracts import streams
from contracts.revocations import read_revocation
from push_gateway import metrics, native, workers
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

log = structlog.get_logger(__name__)

NAME = "push_gateway"

GC_THRESHOLDS = (20_000, 50, 100)
"""How many objects more there are before each generation of the garbage collector looks at its own. A socket is some
hundred objects that stay for hours: with Python's own thresholds to accept thousands is mostly to look at them again.
"""


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
    replays = Replays(reader, lambda passage: Scan(reading_client, stream.name, passage.users, after=passage.at), watch)
    hub = Hub(bus, client, reader, replays, watch, heartbeat=settings.heartbeat)
    sweep = Sweep(bus, hub, direct, watch)
    ticker = Ticker(heartbeat=settings.heartbeat, heartbeat_for=hub.heartbeat_for)
    revocations = Revocations(
        Stream(bus, streams.REVOCATIONS, replicas=nats.replicas),
        read=read_revocation,
        kept=streams.REVOCATIONS.max_age,
    )
    authenticator = Authenticator.of(auth, revocations)
    server = PushServer(listener, hub, ticker, authenticator, settings, ready=lambda: hub.ready and authenticator.ready)
    revocations.on_news(lambda: server.heed(revocations))
    overload = Overload(server.sessions_behind, settings.max_unsent)
    inspection = Inspection(bus, hub, server.sessions, name_of(listener))
    hub.on_leave(inspection.remember)
    metrics.sockets_max.set(settings.max_sockets)
    services: list[Service] = [
        *(bus, reading_bus, direct, replays, hub, sweep, ticker, overload),
        *(inspection, metrics.tally, revocations, server),
    ]
    gc.set_threshold(*GC_THRESHOLDS)
    log.info("events are taken", by="C" if native.take is not None else "Python")
    await run_together(services, stop=stop, drain=server.drain)
