"""Owns who is connected: one live feed a user, shared by that user's sockets, and how a socket joins it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import structlog

from chassis.bus import Bus
from chassis.errors import BusUnavailable
from chassis.failpoints import Point, reached
from contracts import frames
from contracts.subjects import Source, UserId, push_filter
from push_gateway import metrics
from push_gateway.errors import Full
from push_gateway.handshake import Cursor
from push_gateway.live_feed import LiveFeed
from push_gateway.reader import READ_AGAIN, Reader
from push_gateway.replays import Replays
from push_gateway.session import Session
from push_gateway.stream_state import StreamState, StreamWatch
from push_gateway.subscriber import Subscriber

log = structlog.get_logger(__name__)

RETRY = 0.5
"""Seconds between looks for the stream at the start."""


class Hub:
    """All live feeds of this gateway."""

    name = "hub"

    def __init__(
        self, bus: Bus, client: Subscriber, reader: Reader, replays: Replays, watch: StreamWatch, *, heartbeat: int
    ) -> None:
        self._bus = bus
        self._client = client
        self._reader = reader
        self._replays = replays
        self._watch = watch
        self._heartbeat = heartbeat
        self._feeds: dict[UserId, LiveFeed] = {}
        self._on_leave: list[Callable[[Session], None]] = []
        watch.on_new_history(self.restart)

    def on_leave(self, call: Callable[[Session], None]) -> None:
        """Have `call` called with each session that ends, when it has."""
        self._on_leave.append(call)

    @property
    def ready(self) -> bool:
        """Whether sockets can be served now."""
        return self._bus.connected and self._watch.latest is not None

    def sockets_of(self, user: UserId) -> int:
        """How many sockets a user has here."""
        feed = self._feeds.get(user)
        return feed.sockets if feed is not None else 0

    def enter(self, session: Session) -> None:
        """Count a session and open its user's feed if it is the first. End it with `leave`."""
        feed = self._feeds.get(session.user)
        if feed is None:
            feed = self._feeds[session.user] = LiveFeed(session.user, self._reader, self._watch)
            metrics.feeds.inc()
        if feed.opened is None or _failed(feed.opened):
            feed.opened = asyncio.create_task(self._open(feed), name=f"open {session.user}")
        feed.sockets += 1

    async def join(self, session: Session) -> None:
        """Greet a session, send it what it has missed, and let it take part from then on.

        Raises:
            Full: the bus cannot be reached.
            ReadsTooSlowly: the client does not take what it has missed.
        """
        feed = self._feeds[session.user]
        assert feed.opened is not None, "set as soon as a feed is made"
        try:
            await asyncio.shield(feed.opened)
            cursor = session.cursor
            if cursor is not None and await self._has_all_behind(cursor):
                await self._resume(session, feed, cursor)
            else:
                self._greet(session, feed.feed.seq, resumed=False)
                joined = feed.try_join(session)
                assert joined, "nothing was delivered since the position was read"
        except BusUnavailable as error:
            raise Full("the event stream cannot be reached; come back") from error

    def leave(self, session: Session) -> None:
        """Forget a session that has entered. The last one of a user ends the feed."""
        for call in self._on_leave:
            call(session)
        feed = self._feeds[session.user]
        feed.leave(session)
        feed.sockets -= 1
        if feed.sockets == 0:
            del self._feeds[session.user]
            metrics.feeds.dec()
            feed.close()
            if feed.subscription is not None:
                self._client.give_up_soon(feed.subscription)

    async def run(self) -> None:
        """Get ready as soon as the bus is there; then watch that messages are taken over as they should be."""
        await self._bus.wait_until_connected()
        while self._watch.latest is None:
            try:
                await self._watch.state()
            except BusUnavailable as error:
                log.warning("waiting for the stream", reason=str(error))
                await asyncio.sleep(RETRY)
        await self._client.failed

    def heartbeat_for(self, session: Session) -> bytes:
        """Tells a session's client that it is connected, and where it stands."""
        feed = self._feeds[session.user]
        return frames.heartbeat(feed.position_of(session), whole=feed.whole_of(session))

    @property
    def epoch(self) -> str:
        """The history that the stream had when it was last asked; empty before that."""
        return self._watch.latest.epoch if self._watch.latest is not None else ""

    @property
    def repairing(self) -> int:
        """How many feeds read from the stream what they lack."""
        return sum(feed.feed.reading for feed in self._feeds.values())

    def users(self) -> list[UserId]:
        """Everybody who has a feed here."""
        return list(self._feeds)

    def highest(self) -> int:
        """The highest sequence of any event that was delivered here, 0 before the first."""
        return max((feed.feed.tail for feed in self._feeds.values()), default=0)

    def compare(self, users: Iterable[UserId], lasts: Mapping[UserId, Mapping[Source, int]], *, through: int) -> None:
        """See that the feeds of `users` have the last event of each source up to `through`."""
        for user in users:
            if (feed := self._feeds.get(user)) is not None:
                feed.compare(lasts.get(user, {}), through=through)

    def restart(self, state: StreamState) -> None:
        """The stream is not the one that it was: every feed begins anew, and every client fetches its state."""
        log.warning("the stream has a new history", epoch=state.epoch, last=state.last, feeds=len(self._feeds))
        for feed in self._feeds.values():
            if feed.opened is not None and feed.opened.done() and not _failed(feed.opened):
                feed.restart(state, "the event stream was restored; fetch your state again")

    async def _open(self, feed: LiveFeed) -> None:
        if not self._bus.connected:  # a subscription would wait for the connection, also when it was given up meanwhile
            raise BusUnavailable("not connected to NATS")
        if feed.subscription is None:
            feed.subscription = await self._client.take_events(push_filter(feed.user), feed.arrived)
        feed.follow(feed.feed.place((await self._watch.state()).last))

    async def _has_all_behind(self, cursor: Cursor) -> bool:
        complete = _complete(cursor, await self._watch.state())
        metrics.resumes.labels(str(complete).lower()).inc()
        return complete

    async def _resume(self, session: Session, feed: LiveFeed, cursor: Cursor) -> None:
        self._greet(session, cursor.since, resumed=True)
        session.position = cursor.whole
        while True:
            batch = await self._replays.read(session, cursor)
            reached(Point.GREETED)
            # Asked behind the read: what the stream held then, it held during the read.
            state = await self._watch.state()
            if cursor.epoch != state.epoch or state.first > session.position + 1:
                break
            if batch is None:  # it has everything up to its position, whoever it is for
                whole = session.position >= feed.feed.start
            else:
                await session.replay(batch.events, had=cursor.positions)
                session.position = batch.through
                whole = not (batch.more or await self._watch.has_behind(session.user, batch.through))
            if whole and self._is_of_this_history(cursor) and feed.try_join(session):
                return
            if batch is not None and not batch.events:  # this replica does not have yet what its leader or the feed has
                await asyncio.sleep(READ_AGAIN)
        reason = "what you missed is no longer complete; fetch your state again"
        session.begin_anew(frames.resync(feed.feed.seq, reason, epoch=state.epoch), feed.feed.seq)
        joined = feed.try_join(session)
        assert joined, "nothing was delivered since the position was read"

    def _is_of_this_history(self, cursor: Cursor) -> bool:
        """Whether the stream is still the one that the client knows, as far as has been noticed: who takes part from
        now on was not there to be told."""
        return self._watch.latest is not None and self._watch.latest.epoch == cursor.epoch

    def _greet(self, session: Session, seq: int, *, resumed: bool) -> None:
        assert self._watch.latest is not None, "the feed was placed by it"
        epoch = self._watch.latest.epoch
        hello = frames.hello(seq, user=session.user, epoch=epoch, resumed=resumed, heartbeat=self._heartbeat)
        session.anew_at = None if resumed else seq
        session.greet(hello, seq)


def _complete(cursor: Cursor, state: StreamState) -> bool:
    """Whether the stream still holds everything behind the cursor."""
    top = max(cursor.since, *cursor.positions.values())
    return cursor.epoch == state.epoch and top <= state.last and state.first <= cursor.whole + 1


def _failed(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
