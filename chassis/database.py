"""Owns the database connection: the engine, what a request opens on it, and telling "away" from "wrong"."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
from opentelemetry.trace import SpanKind
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from chassis import tracing
from chassis.failpoints import Point, reached

log = structlog.get_logger(__name__)

POOL_SIZE = 20
"""Connections a process: more than it can keep busy on one core. All are kept, as opening one costs more than a dozen
answers; the one that came back last is lent first, so that in quiet times few are in use."""

POOL_TIMEOUT = 5.0
"""Seconds a request waits for a connection before it is told 503: longer only builds up a queue."""

CONNECT_TIMEOUT = 5.0
COMMAND_TIMEOUT = 10.0
"""Seconds for one statement. Each statement here touches a bounded number of rows."""

RETRY = 0.5
"""Seconds between attempts to reach a database that is away."""

RANDOM_PAGE_COST = "1.1"
"""What PostgreSQL is to reckon for a page that does not follow the one before, where one that does costs 1: both are in
memory or on flash. By its default of 4, for disks that turn, it plans to look through all of a table that is still
small, and keeps to that plan while the table grows, until its statistics are gathered a minute later."""

UNDEFINED_TABLE = "42P01"

_TRACE = text("SELECT set_config('tandem.traceparent', :traceparent, true)")
"""Until the transaction ends, changes are captured as belonging to a trace; see `chassis.capture`."""


class Database:
    """One PostgreSQL database.

    Attributes:
        engine: its pool of connections, on which PostgreSQL commits each statement by itself. Most requests need that,
            and SQLAlchemy pays for each connection that it lends otherwise.
        transactional: the same pool, for transactions (READ COMMITTED).
    """

    def __init__(self, url: str, *, application_name: str) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_use_lifo=True,
            pool_timeout=POOL_TIMEOUT,
            connect_args={
                "timeout": CONNECT_TIMEOUT,
                "command_timeout": COMMAND_TIMEOUT,
                "server_settings": {
                    "application_name": application_name,
                    "timezone": "UTC",
                    "random_page_cost": RANDOM_PAGE_COST,
                },
            },
        )
        self.transactional: AsyncEngine = self.engine.execution_options(isolation_level="READ COMMITTED")
        self._after_commit: list[Callable[[], None]] = []

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have `call` called after each commit of `transaction` and `statement`; it must not block."""
        self._after_commit.append(call)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which all is committed, once, when the block ends, or undone when it raises."""
        with _span() as traceparent:
            async with self.transactional.begin() as connection:
                if traceparent is not None:
                    await connection.execute(_TRACE, {"traceparent": traceparent})
                yield connection
        self._committed()

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        """A connection for one statement that writes, which PostgreSQL commits by itself when it has ended.

        A transaction around it would be two round trips more, and they cost more than most statements do. A trace that
        is recorded needs one: its changes are told of it there.
        """
        if tracing.in_recorded_trace():
            async with self.transaction() as connection:
                yield connection
            return
        async with self.reading() as connection:
            yield connection
        self._committed()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for statements that only read. Each sees what is committed when it begins, as it would in a
        transaction (READ COMMITTED)."""
        async with self.engine.connect() as connection:
            yield connection

    def _committed(self) -> None:
        reached(Point.COMMITTED)
        for call in self._after_commit:
            call()

    async def ready(self, revision: str) -> bool:
        """Whether the database answers and its schema is at `revision`."""
        try:
            async with self.engine.connect() as connection:
                return await _revision(connection) == revision
        except Exception as error:
            if is_unavailable(error):
                return False
            raise

    async def wait_until_ready(self, revision: str) -> None:
        """Wait, for as long as it takes, until the database answers and its schema is at `revision`."""
        waiting = False
        while not await self.ready(revision):
            if not waiting:
                log.warning("waiting for the database to answer and to be migrated", revision=revision)
                waiting = True
            await asyncio.sleep(RETRY)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


@contextmanager
def _span() -> Iterator[str | None]:
    """The span of a transaction. Never the current one: the block may end in another context than it began in."""
    span = tracing.begin("transaction", SpanKind.CLIENT, attributes={"db.system.name": "postgresql"})
    try:
        yield tracing.traceparent_of(span)
    finally:
        span.end()


async def _revision(connection: AsyncConnection) -> str | None:
    try:
        found: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    except exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE:
            return None
        raise
    return found


def is_unavailable(error: BaseException) -> bool:
    """Whether `error` says that the database is away, full, shutting down or had to undo a transaction to end a
    deadlock, rather than that a statement is wrong: the same may succeed soon.

    PostgreSQL's classes 08 (connection), 40 (rollback), 53 (resources) and 57P (operator intervention) are such; see
    its documentation, appendix A.
    """
    if isinstance(error, exc.DBAPIError):
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        return (
            error.connection_invalidated
            or sqlstate[:2] in {"08", "40", "53"}
            or sqlstate[:3] == "57P"
            or (isinstance(error, exc.InterfaceError | exc.OperationalError))
        )
    return isinstance(error, exc.TimeoutError | OSError | TimeoutError)
