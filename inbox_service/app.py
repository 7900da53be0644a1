"""The one place where this service is put together."""

import asyncio

from fastapi import FastAPI

from chassis.auth import Authenticator
from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.database import Database
from chassis.edge import Edge
from chassis.http import HttpServer, add_routes, create_app
from chassis.lag import Lag
from chassis.migrate import head, migrations_of
from chassis.process import listen, run_together
from chassis.rates import RateLimit
from chassis.relay import Relay
from chassis.revocations import Revocations
from chassis.settings import AuthSettings, BusSettings
from chassis.streams import Stream
from contracts import streams
from contracts.revocations import read_revocation
from contracts.subjects import INBOX_CONSUMER, dead_letter_subject, relay_nudge, source_filter, user_id
from inbox_service import changes
from inbox_service.api import WRITE_SCOPE, router
from inbox_service.consumer import handle
from inbox_service.page import demo_page
from inbox_service.settings import Settings

NAME = "inbox_service"
MIGRATIONS = migrations_of(NAME)


def create_http(edge: Edge, settings: Settings, auth: AuthSettings, bus: Bus, revision: str) -> FastAPI:
    """The HTTP side alone."""
    app = create_app(
        "Tandem inbox",
        version="1",
        checks=edge.checks(bus, revision),
        allowed_origins=settings.allowed_origins,
    )
    add_routes(app, router)
    if auth.dev:
        add_routes(
            app, demo_page(connection=settings.connection_url, push=settings.push_url, control=settings.control_url)
        )
    edge.attach(app)
    return app


async def serve(settings: Settings, auth: AuthSettings, nats: BusSettings, stop: asyncio.Event) -> None:
    """Run until `stop` is set."""
    listener = listen(settings.host, settings.port, variable="INBOX_PORT")
    revision = head(MIGRATIONS)
    database = Database(settings.database_url, application_name=NAME)
    bus = Bus(nats.url, name=NAME, nkey_seed_file=nats.nkey_seed_file)
    events = Stream(bus, streams.EVENTS, replicas=nats.replicas)
    relay = Relay(
        database,
        events,
        revision=revision,
        nudge=relay_nudge("inbox"),
        subjects=source_filter("inbox"),
        interpreter=changes.INTERPRETER,
    )
    database.after_commit(relay.wake)
    dead_letters = Stream(bus, streams.DEADLETTERS, replicas=nats.replicas)
    consumer = Consumer(
        events,
        durable=INBOX_CONSUMER,
        filter_subject=source_filter("connection"),
        dead_letters=dead_letters,
        dead_letter_subject=dead_letter_subject(INBOX_CONSUMER),
        handle=lambda messages: handle(database, messages),
        ready=lambda: database.wait_until_ready(revision),
    )
    lag = Lag(events, durable=INBOX_CONSUMER, dead_letters=dead_letters)
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
        unlimited=frozenset({WRITE_SCOPE}),
    )
    http = HttpServer(create_http(edge, settings, auth, bus, revision), listener)
    try:
        await run_together([bus, relay, consumer, lag, revocations, http], stop=stop)
    finally:
        await database.close()
