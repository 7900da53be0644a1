"""Owns carrying one batch of changes: from the table, through what they mean, into the stream, and marking them."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import backlog, changes
from chassis.audit import Audit
from chassis.changes import Change, Interpreter, Meaning
from chassis.database import is_unavailable
from chassis.errors import BusUnavailable
from chassis.failpoints import Point, reached
from chassis.publications import Publications
from chassis.publisher import Message, Outcome, Publisher
from chassis.streams import Stream

log = structlog.get_logger(__name__)

BATCH = 500
"""Changes read at once. With two messages a change that fills one atomic batch of the stream (1,000)."""

COPIES_RECOGNISED = dt.timedelta(minutes=5)
"""For how long after a change was made we rely on the stream to recognise a copy of its messages: half of its
duplicate window."""

NOTHING_TO_PUBLISH = 0
"""The mark of a change that means nothing to the world; the stream's own sequences start at 1."""

Result = Literal["more", "done", "failed"]


class Carrier:
    """Carries changes over the connection of the active relay.

    Attributes:
        suspicious: whether the stream is audited before anything else is carried.
    """

    def __init__(
        self,
        stream: Stream,
        audit: Audit,
        interpreter: Interpreter,
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._audit = audit
        self.suspicious = False
        self._interpreter = interpreter
        self._clock = clock
        self._publisher = Publisher(stream)
        self._stream = stream.name
        self._stored: Mapping[str, int] | None = None
        self.doubt()

    def doubt(self) -> None:
        """Somebody else may have been at work: nothing is certain about the stream or about what is not marked."""
        self.suspicious = True
        self._certain = self._answered = False
        self._stored = None
        self._highest = 0

    async def carry(self, connection: AsyncConnection) -> Result:
        """Publish and mark the next changes. "more" if there were as many as fit, "failed" if some are left.

        Nothing is published into a stream that may have lost something: it would stand where the lost one stood.
        """
        if self.suspicious and not await self._audited(connection):
            return "failed"
        meanings = await self._read(connection)
        if not meanings:
            self._certain = True
            return "done"
        publications = Publications(meanings, stream=self._stream)
        outcome = await self._publish(connection, meanings[0].change.at, publications.messages)
        publications.end(outcome)
        backlog.published.inc(len(outcome.sequences))
        reached(Point.ACKED)
        if published := list(_published(meanings, outcome.sequences)):
            await changes.mark(connection, published)
        for meaning in meanings:
            if meaning.error is not None:
                await self._bury(connection, meaning.change, meaning.error)
        if outcome.failure is not None:
            backlog.failures.inc()
            log.warning("publishing failed; the changes wait", waiting=len(meanings), reason=outcome.failure)
            self.doubt()
            return "failed"
        if len(meanings) == BATCH:
            return "more"
        self._certain = True
        return "done"

    async def _audited(self, connection: AsyncConnection) -> bool:
        """Make sure that the stream is there and holds what was published, or will again; whether that worked."""
        try:
            if await self._audit.run(connection, answered=self._answered):
                self.doubt()
        except BusUnavailable as error:
            log.warning("the stream cannot be audited", reason=str(error))
            return False
        self.suspicious, self._answered = False, True
        return True

    async def _bury(self, connection: AsyncConnection, change: Change, error: str) -> None:
        log.error("a change cannot be published", change=change.id, event_id=str(change.event_id), error=error)
        await changes.bury(connection, change, error)

    async def _publish(self, connection: AsyncConnection, oldest: dt.datetime, messages: Sequence[Message]) -> Outcome:
        """Publish what the stream does not have yet; the first change was made at `oldest`.

        It recognises copies only for a while. Where a failure, ours or another relay's, may be longer past than that,
        what was stored without our knowing is looked up: once, as from then on we know what we store.
        """
        stored: Mapping[str, int] = {}
        if not self._certain and self._clock() - oldest > COPIES_RECOGNISED:
            try:
                if self._stored is None:
                    self._stored = await self._audit.stored(connection)
            except BusUnavailable as error:
                return Outcome((), str(error))
            stored = self._stored
        outcome = await self._publisher.publish([message for message in messages if message.id not in stored])
        if outcome.sequences:
            if min(outcome.sequences) <= self._highest:
                return Outcome((), f"what is new stands at {min(outcome.sequences)}, where something else has stood")
            self._highest = max(outcome.sequences)
        published = iter(outcome.sequences)
        sequences: list[int] = []
        for message in messages:
            seq = stored.get(message.id) or next(published, None)
            if seq is None:
                break
            sequences.append(seq)
        return Outcome(sequences, outcome.failure)

    async def _read(self, connection: AsyncConnection) -> Sequence[Meaning]:
        """What the next changes mean. If that fails for all at once, find the one that it fails for."""
        try:
            batch = await changes.unpublished(connection, self._interpreter.context, limit=BATCH)
            meanings = self._interpreter.interpret(batch)
        except Exception as error:
            if is_unavailable(error):
                raise
            bare = await changes.unpublished(connection, changes.NO_CONTEXT, limit=BATCH)
            meanings = [await self._meaning(connection, change) for change in bare]
        return [self._checked(meaning) for meaning in meanings]

    async def _meaning(self, connection: AsyncConnection, bare: Change) -> Meaning:
        """What one change means, which was read without its context."""
        try:
            change = await changes.one(connection, self._interpreter.context, bare.id)
            [meaning] = self._interpreter.interpret([change])
        except Exception as error:
            if is_unavailable(error):
                raise
            return Meaning(bare, error=f"{type(error).__name__}: {error}")
        return meaning

    def _checked(self, meaning: Meaning) -> Meaning:
        for message in meaning.messages:
            if message.size > self._publisher.max_bytes:
                error = f"{message.size} bytes for {message.subject}; NATS takes {self._publisher.max_bytes}"
                return Meaning(meaning.change, error=error)
        return meaning


def _published(meanings: Sequence[Meaning], sequences: Sequence[int]) -> Iterator[tuple[int, int]]:
    """`(change id, sequence of its last message)` for each change whose messages are all stored."""
    stored = 0
    for meaning in meanings:
        stored += len(meaning.messages)
        if stored > len(sequences):
            return
        if meaning.error is None:
            yield meaning.change.id, sequences[stored - 1] if meaning.messages else NOTHING_TO_PUBLISH
