"""Owns reaching what is looked at: the bus, and the databases, in which nothing can be written from here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection

from bus_inspector.errors import Away, BadInput
from bus_inspector.headers import HeaderReader
from bus_inspector.settings import DatabaseSettings
from chassis.bus import Bus
from chassis.database import Database, is_unavailable
from chassis.settings import BusSettings
from chassis.streams import Stream
from contracts import streams
from contracts.subjects import Source

NAME = "bus_inspector"
"""By which the servers know this process."""

PATIENCE = 3.0
"""Seconds that a person waits to be told that something does not answer."""


class Reach:
    """What the settings lead to. A command opens what it needs."""

    def __init__(self, nats: BusSettings, databases: DatabaseSettings) -> None:
        self.nats = nats
        self.databases = databases

    @property
    def servers(self) -> str:
        """Where NATS is looked for, without what may be secret in its URLs."""
        return ", ".join(urlsplit(url).netloc.rpartition("@")[2] for url in self.nats.url)

    @contextlib.asynccontextmanager
    async def bus(self) -> AsyncIterator[Bus]:
        """A connection to NATS.

        Raises:
            Away: there is none to be had.
        """
        bus = Bus(self.nats.url, name=NAME, client=HeaderReader(), nkey_seed_file=self.nats.nkey_seed_file)
        task = asyncio.create_task(bus.run(), name="bus")
        waiting = asyncio.create_task(bus.wait_until_connected(), name="connecting")
        try:
            await asyncio.wait({task, waiting}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                reason = f" ({bus.client.last_error})" if bus.client.last_error else ""
                raise Away(f"NATS does not let us in at {self.servers}{reason}")
            with _told_of_refusals(bus):
                yield bus
        finally:
            waiting.cancel()
            task.cancel()
            await asyncio.wait([task])

    @contextlib.asynccontextmanager
    async def bus_if_there(self) -> AsyncIterator[Bus | None]:
        """A connection to NATS, or None if there is none to be had."""
        async with contextlib.AsyncExitStack() as stack:
            bus: Bus | None = None
            with contextlib.suppress(Away):
                bus = await stack.enter_async_context(self.bus())
            yield bus

    def events(self, bus: Bus) -> Stream:
        """The stream of all events."""
        return Stream(bus, streams.EVENTS, replicas=self.nats.replicas)

    def dead_letters(self, bus: Bus) -> Stream:
        """The stream of what could not be processed."""
        return Stream(bus, streams.DEADLETTERS, replicas=self.nats.replicas)

    def revocations(self, bus: Bus) -> Stream:
        """The stream of whose tokens were revoked."""
        return Stream(bus, streams.REVOCATIONS, replicas=self.nats.replicas)

    @contextlib.asynccontextmanager
    async def database(self, source: Source) -> AsyncIterator[AsyncConnection]:
        """A connection on which everything is seen as at one moment, and nothing can be written.

        Raises:
            BadInput: nobody said where the database is.
            Away: it does not answer.
        """
        url = self.databases.url(source)
        if url is None:
            raise BadInput(f"{source.upper()}_DATABASE_URL must be set: the rows of {source}_service are looked at")
        database = Database(url, application_name=NAME)
        try:
            async with database.engine.connect() as connection:
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                yield connection
        except Exception as error:
            if is_unavailable(error):
                raise Away(f"the database of {source}_service does not answer: {_first_line(error)}") from error
            raise
        finally:
            await database.close()


@contextlib.contextmanager
def _told_of_refusals(bus: Bus) -> Iterator[None]:
    """What is refused is not answered either, and a person wants to know which of the two it was."""
    try:
        yield
    except Away as error:
        if bus.refused:
            raise Away(f"{error}; NATS says: {bus.refused}: see NATS_NKEY_SEED_FILE") from error
        raise


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
