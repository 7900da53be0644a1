"""Owns what a user is told and in which order: a state machine without I/O. Messages go in; frames and reads come out.

A feed knows one position for each source. A live message is delivered only if the message before it on its subject
is not beyond that position; otherwise something in between was lost on the way, and the feed asks for a read from
the stream, holding back whatever arrives until the read has closed the gap.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from contracts.subjects import SOURCES
from push_gateway.messages import StoredEvent

_SOURCES = tuple(source.encode() for source in SOURCES)

HELD_MAX = 1_000
"""Live messages held back during a read. Of further ones only the newest of each source is kept: the others are found
in the stream, because it shows that they are missing."""


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from something that happened: events to deliver, in order, and what to read from the stream.

    Attributes:
        read_after: read all sources of the user from the sequence after this one; None if there is nothing to read.
    """

    deliver: Sequence[StoredEvent] = ()
    read_after: int | None = None


NOTHING = Step()


@dataclass(slots=True)
class Feed:
    """The feed of one user. It holds everything back until `place` says from where on it must be complete.

    Attributes:
        start: everything up to this sequence is known, whatever its source.
        tail: the sequence of the last event delivered, 0 before the first.
        reading: whether what arrives is held back, because a read is under way or the feed has no place yet.
    """

    start: int = 0
    tail: int = 0
    reading: bool = True
    _positions: dict[bytes, int] = field(default_factory=dict)
    _held: list[StoredEvent] = field(default_factory=list)
    _newest: dict[bytes, StoredEvent] = field(default_factory=dict)
    _suspected: bool = False
    _expected: int = 0

    @property
    def seq(self) -> int:
        """The position to continue from: what is behind it is still to come."""
        return max(self.start, self.tail)

    def place(self, start: int) -> Step:
        """The stream's last sequence was `start` when the subscription was already in effect."""
        assert self.tail == 0, "a feed is placed before it delivers anything"
        self.start = start
        return self._go_on([])

    def goes_on_with(self, event: StoredEvent) -> bool:
        """Whether a live message is simply the next one of its source, as nearly all are; then it is delivered.

        It says what `live` would say, at a third of the cost.
        """
        source, seq, previous, _, _ = event
        position = self._positions.get(source, 0)
        if position < self.start:
            position = self.start
        if self.reading or seq <= position or (previous is not None and previous > position):
            return False
        self._positions[source] = seq
        if seq > self.tail:
            self.tail = seq
        return True

    def live(self, event: StoredEvent) -> Step:
        """A live message has arrived."""
        if self.goes_on_with(event):
            return Step((event,))
        if self.reading:
            self._hold(event)
            return NOTHING
        if event.seq <= self._position(event.source):
            return NOTHING  # a copy: a new leader may republish what the old one has republished
        self.reading = True
        self._held.append(event)
        return Step(read_after=self.whole)

    def suspect(self) -> Step:
        """Something may have been lost unseen: read what the stream has beyond what is known."""
        if self.reading:
            self._suspected = True
            return NOTHING
        self.reading = True
        return Step(read_after=self.whole)

    def expect(self, source: bytes, seq: int) -> Step:
        """The stream holds an event of `source` at `seq`. If it has not arrived, it is read until it is there."""
        if seq <= self._position(source):
            return NOTHING
        self._expected = max(self._expected, seq)
        return NOTHING if self.reading else self.suspect()

    def confirm(self, through: int) -> None:
        """Nothing up to `through` is missing here, as a comparison with the stream has shown."""
        if not self.reading:
            self.start = max(self.start, through)

    def restart(self, start: int) -> None:
        """Begin anew after `start`: the stream is not the one that it was."""
        self.start, self.tail = start, 0
        self.reading, self._suspected, self._expected = False, False, 0
        self._positions, self._held, self._newest = {}, [], {}

    def read(self, events: Iterable[StoredEvent], *, through: int, more: bool) -> Step:
        """A read has brought `events`, all that there are up to `through`; `more` if the stream has further ones."""
        delivered = [event for event in events if event.seq > self._position(event.source)]
        for event in delivered:
            self._advance(event)
        self.start = max(self.start, through)  # it began where everything is known, and has left nothing out
        if more:
            return Step(delivered, read_after=through)
        return self._go_on(delivered)

    def _go_on(self, delivered: list[StoredEvent]) -> Step:
        """Go on with what was held back. A gap that is still there is read again."""
        held = [*self._held, *self._newest.values()]
        self._held, self._newest = [], {}
        self.reading = False
        for index, event in enumerate(held):
            step = self.live(event)
            delivered += step.deliver
            if step.read_after is not None:
                self._held += held[index + 1 :]
                return Step(delivered, step.read_after)
        if self._suspected or self._expected > self.start:
            self._suspected = False
            return Step(delivered, self.suspect().read_after)
        return Step(delivered)

    def _hold(self, event: StoredEvent) -> None:
        if len(self._held) < HELD_MAX:
            self._held.append(event)
            return
        newest = self._newest.get(event.source)
        if newest is None or event.seq > newest.seq:
            self._newest[event.source] = event

    @property
    def whole(self) -> int:
        """Up to where nothing of any source is missing. Every read begins here: a gap of one source may have a sister
        in the other that shows only later."""
        return min(self._position(source) for source in _SOURCES)

    @property
    def held(self) -> frozenset[int]:
        """The sequences of what has arrived and waits."""
        return frozenset(event.seq for event in (*self._held, *self._newest.values()))

    def positions(self) -> dict[str, int]:
        """Up to where nothing is missing, for each source."""
        return {source: self._position(source.encode()) for source in SOURCES}

    def _position(self, source: bytes) -> int:
        return max(self.start, self._positions.get(source, 0))

    def _advance(self, event: StoredEvent) -> None:
        self._positions[event.source] = event.seq
        self.tail = max(self.tail, event.seq)
