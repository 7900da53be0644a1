"""Owns checking that the stream still holds what was published, and having it published again where it does not.

A stream can lose what it has acknowledged: it is deleted, its store is restored from an older copy, a cluster loses its
tail. The database is the truth, so the loss is found from there: the message that a change was recorded with must
still stand at that sequence.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import backlog, changes
from chassis.changes import Change, Interpreter
from chassis.streams import Stream

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Audit:
    """Compares what a database says was published with what the stream holds.

    Attributes:
        subjects: a filter for all that this database's changes are published to.
    """

    stream: Stream
    interpreter: Interpreter
    subjects: str

    async def run(self, connection: AsyncConnection) -> bool:
        """Make the stream if need be, and look there for the latest published change. If the stream has lost it, begin
        a new epoch and have everything that was lost with it published again; says whether that was so.

        The database is asked first: it must hear of a relay before each wait for the stream, or the relay is replaced.

        Raises:
            BusUnavailable: the stream cannot be asked.
        """
        latest = await changes.published_latest(connection, self.interpreter.context)
        await self.stream.ensure()
        if latest is None or await self._holds(*latest):
            return False
        boundary = await self._last_intact(connection, below=latest[1])
        epoch = await self.stream.begin_epoch()
        backlog.losses.inc()
        again = await changes.publish_again(connection, after=boundary)
        log.error("the stream has lost events", changes=again, after_sequence=boundary, epoch=epoch)
        return True

    async def stored(self, connection: AsyncConnection) -> dict[str, int]:
        """The messages, by id, that may be in the stream without being marked: those behind the last marked ones.

        Raises:
            BusUnavailable: the stream cannot be asked.
        """
        found: dict[str, int] = {}
        seq = await changes.published_before_latest(connection)
        while (message := await self.stream.next_message(self.subjects, after=seq)) is not None:
            seq = message.seq
            found[message.id] = message.seq
        return found

    async def _last_intact(self, connection: AsyncConnection, *, below: int) -> int:
        """The highest recorded sequence whose change the stream still holds; 0 if it holds none."""
        intact, lost = 0, below
        context = self.interpreter.context
        while (middle := await changes.published_between(connection, context, intact, lost)) is not None:
            change, seq = middle
            if await self._holds(change, seq):
                intact = seq
            else:
                lost = seq
        return intact

    async def _holds(self, change: Change, seq: int) -> bool:
        """Whether the stream has the change's message where it was recorded, or is past the time of keeping it."""
        [meaning] = self.interpreter.interpret([change])
        stored = await self.stream.message(seq)
        if stored is None:
            return await self.stream.is_trimmed(seq)
        return stored.id in {message.id for message in meaning.messages}
