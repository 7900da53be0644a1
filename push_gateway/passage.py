"""Owns one pass over the stream for many clients: each gets what is its own, at the pace of the pass or not at all."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from chassis.failpoints import Point, reached
from contracts.subjects import UserId
from push_gateway import metrics
from push_gateway.handshake import Cursor
from push_gateway.messages import StoredEvent
from push_gateway.scan import Page, Scan
from push_gateway.session import Session
from push_gateway.stream_state import StreamState, StreamWatch

UNSENT_MAX = 64 * 1024
"""Bytes that may wait for a client before it is sent more. One that takes less is left behind and comes back later."""

WINDOW = 16_384
WINDOW_BYTES = 8 * 1024 * 1024
WINDOW_USER_BYTES = 128 * 1024
"""What ends a window: messages, a tenth of a second's worth; bytes of frames of all users together, which are held in
memory; and of any one user, which each of that user's clients is sent at once."""

AT_ONCE = 16
"""Clients that are written to before live events have their turn: each takes some 20 us."""


@dataclass(slots=True, eq=False)
class Rider:
    """A client that waits for what it has missed.

    Attributes:
        alone: whether it is to read alone now. If not, it was brought forward.
    """

    session: Session
    cursor: Cursor
    alone: asyncio.Future[bool]

    @property
    def reads_alone(self) -> bool:
        """Whether it was told to."""
        return self.alone.done() and not self.alone.cancelled() and self.alone.result()

    def land(self, *, alone: bool) -> None:
        """Let it go on; one whose client has gone does not mind."""
        if not self.alone.done():
            self.alone.set_result(alone)

    def proves(self, state: StreamState) -> bool:
        """Whether the stream holds everything behind its position."""
        return self.cursor.epoch == state.epoch and state.first <= self.session.position + 1

    def take(self, events: Sequence[StoredEvent], joined: bytes) -> None:
        """Send what the client does not have yet of `events`; `joined` are the frames of all of them."""
        fresh = events
        if events[0].seq <= max(self.session.position, *self.cursor.positions.values()):
            fresh = [event for event in events if self._lacks(event)]
            joined = b"".join(event.frame for event in fresh)
        self.session.connection.write(joined)
        metrics.tally.replayed(frames=len(fresh), size=len(joined))
        reached(Point.REPLAYING)

    def _lacks(self, event: StoredEvent) -> bool:
        return event.seq > max(self.session.position, self.cursor.positions.get(event.source, 0))


@dataclass(slots=True)
class Window:
    """A part of the stream: `events` are all that some users have in it, up to `through`.

    Attributes:
        messages: how many there are, those of other users included.
        more: whether there are further ones behind it.
    """

    events: defaultdict[UserId, list[StoredEvent]] = field(default_factory=lambda: defaultdict(list))
    messages: int = 0
    through: int = 0
    more: bool = True
    _size: int = 0
    _sizes: defaultdict[UserId, int] = field(default_factory=lambda: defaultdict(int))
    _largest: int = 0
    _joined: dict[UserId, bytes] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether it is time to give everybody their part."""
        return self.messages >= WINDOW or self._size >= WINDOW_BYTES or self._largest >= WINDOW_USER_BYTES

    def joined(self, user: UserId) -> bytes:
        """The frames of all events of a user, made once for all of that user's clients."""
        frames = self._joined.get(user)
        if frames is None:
            frames = self._joined[user] = b"".join(event.frame for event in self.events[user])
        return frames

    def add(self, page: Page) -> None:
        """Add what follows."""
        for user, event in page.events:
            self.events[user].append(event)
            size = len(event.frame)
            self._size += size
            self._sizes[user] += size
            self._largest = max(self._largest, self._sizes[user])
        self.messages += page.messages
        self.through = page.through
        self.more = page.more


class Passage:
    """One pass.

    Attributes:
        riders: those who are still on the way.
        users: those of everybody who set out, by their bytes in a subject.
        at: up to where the stream was read.
    """

    def __init__(self, riders: Sequence[Rider], watch: StreamWatch) -> None:
        self.riders = list(riders)
        self.users = {rider.session.user.encode(): rider.session.user for rider in riders}
        self.at = min(rider.session.position for rider in riders)
        self._watch = watch

    async def advance(self, scan: Scan) -> int:
        """Read a window and give everybody their part; nobody is left on the way at the end of the stream.

        Returns how many messages were read.

        Raises:
            BusUnavailable: the stream did not answer; nobody was given anything of this window.
        """
        window = Window(through=self.at)
        while window.more and not window.full:
            window.add(await scan.page())
        state = await self._watch.state()  # asked behind the read: what the stream held then, it held during the read
        staying: list[Rider] = []
        for number, rider in enumerate(self.riders, start=1):
            if self._bring(rider, window, state):
                staying.append(rider)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        self.at, self.riders = window.through, staying
        return window.messages

    def _bring(self, rider: Rider, window: Window, state: StreamState) -> bool:
        """Bring one client to the end of the window; says whether it goes on from there."""
        session = rider.session
        if rider.alone.done():
            return False
        if not rider.proves(state) or session.connection.unsent > UNSENT_MAX:
            rider.land(alone=False)
            return False
        if (events := window.events.get(session.user)) is not None:
            rider.take(events, window.joined(session.user))
        session.position = max(session.position, window.through)
        if not window.more:
            rider.land(alone=False)
        return window.more
