"""Owns checking that the stream still holds what was published, and having it published again where it does not.

A stream can lose what it has acknowledged: it is deleted, its store is restored from an older copy, a cluster loses its
tail. The database is the truth, so the loss is found from there: the message that a change was recorded with must
still stand at that sequence.
"""

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import backlog, changes
from chassis.changes import Change, Interpreter
from chassis.streams import Stream, epoch_of

log = structlog.get_logger(__name__)

SEQUENCE_MAX = 2**63 - 1
"""More than any stream reaches; the largest that its column holds."""


class Audit:
    """Compares what a database says was published with what the stream holds."""

    def __init__(self, stream: Stream, interpreter: Interpreter, subjects: str) -> None:
        """Put it together.

        Args:
            interpreter: what changes mean.
            subjects: a filter for all that this database's changes are published to.
        """
        self._stream = stream
        self._interpreter = interpreter
        self._subjects = subjects
        self._epoch: str | None = None

    async def run(self, connection: AsyncConnection, *, answered: bool) -> bool:
        """Make the stream if need be, and look there for the latest published change. If the stream has lost it, begin
        a new epoch and have everything that was lost with it published again; says whether that was so.

        The same is done if the epoch is another than the last time and not everything was `answered` that we have
        published since: the stream may have held that too and have lost it.

        What waits may be such. As long as the new epoch has not begun, whoever is connected then will be told to fetch
        what is committed now; so it is taken for copies, and nobody sees it twice.

        The database is asked first: it must hear of a relay before each wait for the stream, or the relay is replaced.

        Raises:
            BusUnavailable: the stream cannot be asked.
        """
        latest = await changes.published_latest(connection, self._interpreter.context)
        epoch = epoch_of(await self._stream.ensure())
        lost = latest is not None and not await self._holds(*latest)
        if not lost and (answered or self._epoch in {None, epoch}):
            self._epoch = epoch
            return False
        boundary = await self._last_intact(connection)
        copies = await changes.take_for_copies(connection)
        self._epoch = await self._stream.begin_epoch()
        backlog.losses.inc()
        again = await changes.publish_again(connection, after=boundary)
        log.error("the stream has lost events", changes=again + copies, after_sequence=boundary, epoch=self._epoch)
        return True

    async def stored(self, connection: AsyncConnection) -> dict[str, int]:
        """The messages, by id, that may be in the stream without being marked: those behind the last marked ones.

        Raises:
            BusUnavailable: the stream cannot be asked.
        """
        found: dict[str, int] = {}
        seq = await changes.published_before_latest(connection)
        while (message := await self._stream.next_message(self._subjects, after=seq)) is not None:
            seq = message.seq
            found[message.id] = message.seq
        return found

    async def _last_intact(self, connection: AsyncConnection) -> int:
        """The highest recorded sequence whose change the stream still holds; 0 if it holds none."""
        intact, lost = 0, SEQUENCE_MAX
        context = self._interpreter.context
        while (middle := await changes.published_between(connection, context, intact, lost)) is not None:
            change, seq = middle
            if await self._holds(change, seq):
                intact = seq
            else:
                lost = seq
        return intact

    async def _holds(self, change: Change, seq: int) -> bool:
        """Whether the stream has the change's message where it was recorded, or is past the time of keeping it."""
        [meaning] = self._interpreter.interpret([change])
        stored = await self._stream.message(seq)
        if stored is None:
            return await self._stream.is_trimmed(seq)
        return stored.id in {message.id for message in meaning.messages}
