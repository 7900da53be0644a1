"""Owns examining who may do what on the bus: whether strangers are let in, and what our own key lets us do.

What is tried changes nothing where it is allowed: a live message for nobody, and an event that the stream refuses.
"""

import json
from collections.abc import AsyncIterator

import nats.errors
from nats.aio.client import Client

from bus_inspector.errors import Away, InspectorError
from bus_inspector.findings import Finding
from bus_inspector.reach import Reach
from bus_inspector.reading import StreamReader
from chassis.bus import CONNECT_TIMEOUT, REQUEST_TIMEOUT, Bus
from contracts.subjects import PUSH_ADDRESS, event_subject, user_id

NOBODY = user_id("tandem-doctor")
"""For whom the messages are: nobody is called so, and no gateway has a socket of theirs."""

NO_STREAM = {"Nats-Expected-Stream": "none"}
"""With this header the stream stores nothing, and says so."""


async def examine_rights(reach: Reach, bus: Bus) -> AsyncIterator[Finding]:
    """Strangers, our reading, and our writing."""
    yield await _strangers(reach)
    for stream in (reach.events(bus), reach.dead_letters(bus)):
        try:
            await StreamReader(bus, stream).ask(batch=1, seq=1)
        except InspectorError as error:
            yield Finding(f"reading {stream.name}", "fail", str(error))
        else:
            yield Finding(f"reading {stream.name}", "ok", "allowed")
    yield await _writing(reach, bus)


async def _strangers(reach: Reach) -> Finding:
    """Whether somebody without a key is let in."""
    what = "strangers"

    async def ignore(_: Exception) -> None:
        """It is raised, too."""

    client = Client()
    try:
        await client.connect(
            list(reach.nats.url), error_cb=ignore, allow_reconnect=False, connect_timeout=CONNECT_TIMEOUT
        )
    except (nats.errors.Error, OSError) as error:
        refused = "authorization" in str(error).lower()
        return Finding(what, "ok" if refused else "warn", "refused" if refused else f"it is not known: {error!r}")
    await client.close()
    return Finding(what, "fail", "let in without a key: include deploy/nats/authorization.conf in NATS's configuration")


async def _writing(reach: Reach, bus: Bus) -> Finding:
    """What this key may write."""
    what = "rights of this key"
    if await _may(reach, bus, PUSH_ADDRESS.format(user_id=NOBODY, source="inbox")):
        return Finding(what, "warn", "it may do everything: keep it for repairing by hand")
    if await _may(reach, bus, event_subject(NOBODY, "inbox")):
        return Finding(what, "ok", "reading, storing events and removing dead letters: an operator's")
    return Finding(what, "ok", "reading: an inspector's")


async def _may(reach: Reach, bus: Bus, subject: str) -> bool:
    """Whether a message may be published; the server says that it may not before it answers what is asked after it."""
    try:
        await bus.client.publish(subject, json.dumps({}).encode(), headers=NO_STREAM)
        await bus.client.request(f"$JS.API.STREAM.INFO.{reach.events(bus).name}", timeout=REQUEST_TIMEOUT)
    except (nats.errors.Error, TimeoutError) as error:
        raise Away(f"NATS does not answer: {error!r}") from error
    return f'"{subject}"' not in bus.refused
