"""Owns one user's feed at work: it carries out what the state machine says and writes to the user's sockets."""

import asyncio
import time
from collections.abc import Mapping

import structlog
from nats.aio.subscription import Subscription

from chassis import tracing
from chassis.errors import BusUnavailable
from contracts import frames
from contracts.subjects import Source, UserId
from push_gateway import delivery_spans, metrics
from push_gateway.errors import ReadsTooSlowly
from push_gateway.feed import Feed, Step
from push_gateway.messages import StoredEvent
from push_gateway.reader import READ_AGAIN, Batch, Reader
from push_gateway.session import Session
from push_gateway.stream_state import StreamState, StreamWatch

log = structlog.get_logger(__name__)


class LiveFeed:
    """The feed of one connected user: its subscription, its reads from the stream and its sockets.

    Attributes:
        sockets: how many the user has, those that are still catching up included.
    """

    def __init__(self, user: UserId, reader: Reader, watch: StreamWatch) -> None:
        self.user = user
        self.feed = Feed()
        self.sockets = 0
        self.subscription: Subscription | None = None
        self.opened: asyncio.Task[None] | None = None
        self._reader = reader
        self._watch = watch
        self._reading: asyncio.Task[None] | None = None
        self._sessions: list[Session] = []
        self._joined_at = 0

    def arrived(self, event: StoredEvent) -> None:
        """A live event has arrived."""
        if self.feed.goes_on_with(event):
            self._send(event)
        else:
            self.follow(self.feed.live(event))

    def compare(self, lasts: Mapping[Source, int], *, through: int) -> None:
        """See that the feed has the last event of each source up to `through`; `lasts` leaves out what did not move."""
        for source, seq in lasts.items():
            self.follow(self.feed.expect(source.encode(), seq))
        self.feed.confirm(through)

    def restart(self, state: StreamState, reason: str) -> None:
        """The stream no longer holds what the feed needs: begin anew at its end, and have every client do so."""
        if self._reading is not None:
            self._reading.cancel()
        self.feed.restart(state.last)
        self._joined_at = state.last
        resync = frames.resync(state.last, reason, epoch=state.epoch)
        for session in self._sessions:
            session.begin_anew(resync, state.last)

    def follow(self, step: Step) -> None:
        """Do what the feed says."""
        for event in step.deliver:
            self._send(event)
        if step.read_after is not None:
            metrics.repairs.inc()
            self._reading = asyncio.create_task(self._repair(step.read_after), name=f"repair {self.user}")

    def try_join(self, session: Session) -> bool:
        """Let a session that has everything up to its position take part, unless the feed is beyond that already."""
        if session.position < self.feed.tail:
            return False
        session.feed = self.feed
        self._sessions.append(session)
        self._joined_at = max(self._joined_at, session.position)
        return True

    def leave(self, session: Session) -> None:
        """Forget a session, if it is known."""
        if session in self._sessions:
            self._sessions.remove(session)

    def position_of(self, session: Session) -> int:
        """The last sequence that the client was sent, or up to where there is nothing for it."""
        return max(self.feed.seq, session.position) if session in self._sessions else session.position

    def whole_of(self, session: Session) -> int:
        """Up to where the client lacks nothing of any source."""
        return self.feed.whole if session in self._sessions else min(self.feed.whole, session.position)

    def close(self) -> None:
        """Stop reading."""
        for task in (self._reading, self.opened):
            if task is not None:
                task.cancel()

    def _send(self, event: StoredEvent) -> None:
        if not event.frame:
            return
        began = time.time_ns() if tracing.recording() else None
        sessions = self._sessions
        if event.seq <= self._joined_at:  # some have it: they were sent it before they joined, or came after it
            sessions = [session for session in sessions if session.position < event.seq]
        behind = False
        for session in sessions:
            behind |= session.connection.write(event.frame)
        metrics.tally.delivered(event, len(sessions))
        if began is not None:
            delivery_spans.record(event, began=began, sockets=len(sessions))
        if behind:
            self._end_slow_readers()

    def _end_slow_readers(self) -> None:
        for session in [session for session in self._sessions if session.reads_too_slowly]:
            self.leave(session)
            session.end(ReadsTooSlowly("you read too slowly; resume"))

    async def _read(self, after: int) -> tuple[Batch, StreamState]:
        """A batch of the user's events behind `after`, and the stream's state behind that, however long it takes."""
        while True:
            try:
                return await self._reader.read(self.user, after=after), await self._watch.state()
            except BusUnavailable as error:
                log.warning("a repair waits for the stream", user=self.user, reason=str(error))
                await asyncio.sleep(READ_AGAIN)

    async def _repair(self, after: int) -> None:
        """Read what the feed has missed, until it is whole; or begin anew if the stream no longer holds all of it."""
        while True:
            batch, state = await self._read(after)
            if state.first > after + 1:
                self._reading = None
                self.restart(state, "what you missed is no longer complete; fetch your state again")
                return
            held = self.feed.held
            step = self.feed.read(batch.events, through=batch.through, more=batch.more)
            for event in step.deliver:
                self._send(event)
            metrics.repaired.inc(sum(event.seq not in held for event in step.deliver))
            if step.read_after is None:
                return
            if step.read_after == after:  # nothing new, and still a gap: this replica does not have the message yet
                await asyncio.sleep(READ_AGAIN)
            after = step.read_after
