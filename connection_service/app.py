"""The one place where this service is put together."""

import asyncio

from fastapi import FastAPI

from chassis.auth import Authenticator
from chassis.bus import Bus
from chassis.database import Database
from chassis.dev_tokens import dev_tokens
from chassis.edge import Edge
from chassis.http import HttpServer, add_routes, create_app
from chassis.migrate import head, migrations_of
from chassis.process import listen, run_together
from chassis.rates import RateLimit
from chassis.relay import Relay
from chassis.revocations import Revocations
from chassis.settings import AuthSettings, BusSettings
from chassis.streams import Stream
from connection_service import changes
from connection_service.api import router
from connection_service.questions import load_catalogue
from connection_service.settings import Settings
from contracts import streams
from contracts.revocations import read_revocation
from contracts.subjects import relay_nudge, source_filter, user_id

NAME = "connection_service"
MIGRATIONS = migrations_of(NAME)


def create_http(
    edge: Edge, settings: Settings, auth: AuthSettings, bus: Bus, revision: str, revocations: Revocations
) -> FastAPI:
    """The HTTP side alone."""
    app = create_app(
        "Tandem connections",
        version="1",
        checks=edge.checks(bus, revision),
        allowed_origins=settings.allowed_origins,
    )
    add_routes(app, router)
    if auth.dev:
        add_routes(app, dev_tokens(auth))
    app.state.catalogue = load_catalogue()
    app.state.revocations = revocations
    edge.attach(app)
    return app


async def serve(settings: Settings, auth: AuthSettings, nats: BusSettings, stop: asyncio.Event) -> None:
    """Run until `stop` is set."""
    listener = listen(settings.host, settings.port, variable="CONNECTION_PORT")
    revision = head(MIGRATIONS)
    database = Database(settings.database_url, application_name=NAME)
    bus = Bus(nats.url, name=NAME, nkey_seed_file=nats.nkey_seed_file)
    relay = Relay(
        database,
        Stream(bus, streams.EVENTS, replicas=nats.replicas),
        revision=revision,
        nudge=relay_nudge("connection"),
        subjects=source_filter("connection"),
        interpreter=changes.INTERPRETER,
    )
    database.after_commit(relay.wake)
    revocations = Revocations(
        Stream(bus, streams.REVOCATIONS, replicas=nats.replicas),
        read=read_revocation,
        kept=streams.REVOCATIONS.max_age,
    )
    edge = Edge(
        database,
        Authenticator.of(auth, revocations),
        identify=user_id,
        limit=RateLimit(settings.requests_per_user),
    )
    http = HttpServer(create_http(edge, settings, auth, bus, revision, revocations), listener)
    try:
        await run_together([bus, relay, revocations, http], stop=stop)
    finally:
        await database.close()
