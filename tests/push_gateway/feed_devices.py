"""Owns the model of devices for the feed's state machine: how a socket joins a feed, and what its client remembers.

The feed is real. The rest says in a few lines what the hub and the live feed do with it between their reads and writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from push_gateway.feed import Feed
from push_gateway.messages import StoredEvent

SOURCES = (b"connection", b"inbox")


@dataclass
class Stream:
    """What is stored, for one user; in between stands what is stored for others.

    Attributes:
        history: everything of this epoch, also what retention has taken.
        first: the first sequence that is still there.
        top: the last one, whosever it is.
    """

    history: list[StoredEvent] = field(default_factory=list)
    first: int = 1
    top: int = 0
    epoch: int = 0

    def store(self, source: bytes, *, again: bool) -> StoredEvent:
        """An event, as its live copy tells of it. One that is stored `again` after a loss has no frame."""
        self.top += 1
        previous = max((event.seq for event in self.history if event.source == source), default=0)
        event = StoredEvent(source, self.top, previous, b"" if again else b"%d" % self.top)
        self.history.append(event)
        return event

    def lagging(self, lag: int) -> list[StoredEvent]:
        """What a replica has that lacks the last `lag` events."""
        return [event for event in self.history[: len(self.history) - lag] if event.seq >= self.first]

    def read(self, after: int, batch: int, lag: int) -> tuple[list[StoredEvent], int, bool]:
        """What a replica answers: events, up to where these are all, and whether it has more."""
        has = [event for event in self.lagging(lag) if event.seq > after]
        events = [StoredEvent(event.source, event.seq, None, event.frame) for event in has[:batch]]
        return events, events[-1].seq if events else after, len(has) > batch

    def has_behind(self, seq: int) -> bool:
        """What the leader says."""
        return any(event.seq > seq for event in self.lagging(0))

    def owed(self, source: bytes, after: int) -> list[int]:
        """The events that a client must be sent that has its state as of `after`."""
        return [event.seq for event in self.history if event.source == source and event.seq > after and event.frame]


@dataclass
class Socket:
    """One connection of a device.

    Attributes:
        position: up to where the client had everything when it was last sent something of its own.
        had: its position in each source when it came.
        answer: a batch that was read and not yet sent.
    """

    position: int
    had: Mapping[bytes, int] = field(default_factory=dict)
    joined: bool = False
    answer: tuple[list[StoredEvent], int, bool] | None = None
    up_to_date: bool = False


@dataclass
class Device:
    """A client that follows the protocol.

    Attributes:
        base: the sequence at which it was last told to fetch its state; None before it first connected.
        got: what it was sent since then.
        positions: what it will say when it comes back.
    """

    socket: Socket | None = None
    epoch: int = 0
    base: int | None = None
    got: list[StoredEvent] = field(default_factory=list)
    positions: dict[bytes, int] = field(default_factory=dict)

    def begin_anew(self, seq: int, epoch: int) -> None:
        """`hello` with `resumed:false`, or `resync`: it fetches its state, which has all that was stored by now."""
        self.base, self.epoch, self.got = seq, epoch, []
        self.positions = dict.fromkeys(SOURCES, seq)

    def take(self, event: StoredEvent) -> None:
        self.got.append(event)
        self.positions[event.source] = event.seq

    def heartbeat(self, whole: int) -> None:
        self.positions = {source: max(at, whole) for source, at in self.positions.items()}


class Room:
    """The devices of one user, and the live feed that they share."""

    def __init__(self, stream: Stream, devices: int) -> None:
        self.stream = stream
        self.devices = [Device() for _ in range(devices)]
        self._joined_at = 0

    def joined(self) -> list[Device]:
        return [device for device in self.devices if device.socket is not None and device.socket.joined]

    def deliver(self, events: Sequence[StoredEvent]) -> None:
        """To everybody, but what some were sent before they joined."""
        for event in events:
            for device in self.joined():
                assert device.socket is not None, "it has joined"
                if event.frame and (event.seq > self._joined_at or device.socket.position < event.seq):
                    device.take(event)

    def restart(self, start: int) -> None:
        """The stream is another one."""
        self._joined_at = start
        for device in self.joined():
            device.begin_anew(start, self.stream.epoch)
            device.socket = Socket(start, joined=True)

    def connect(self, device: Device, feed: Feed) -> None:
        """With the cursor that it has, if it has one and the stream still has all behind it."""
        resumes = (
            device.base is not None
            and device.epoch == self.stream.epoch
            and max(device.positions.values()) <= self.stream.top
            and self.stream.first <= min(device.positions.values()) + 1
        )
        if resumes:
            device.socket = Socket(min(device.positions.values()), dict(device.positions))
        else:
            self._begin_anew(device, feed)

    def replay(self, device: Device, feed: Feed) -> None:
        """Send what was read; if that was all that the leader has, the socket may join."""
        socket = device.socket
        assert socket is not None, "it is connected"
        assert socket.answer is not None, "its read was answered"
        (events, through, more), socket.answer = socket.answer, None
        if device.epoch != self.stream.epoch or self.stream.first > socket.position + 1:
            self._begin_anew(device, feed)
            return
        for event in events:
            if event.frame and event.seq > socket.had[event.source]:
                device.take(event)
        socket.position = through
        socket.up_to_date = not more and not self.stream.has_behind(through)

    def join(self, device: Device, feed: Feed) -> None:
        """Take part from now on, unless the feed has gone on meanwhile: then what it has sent is read, too."""
        assert device.socket is not None, "it is connected"
        device.socket.up_to_date = False
        if device.epoch == self.stream.epoch and device.socket.position >= feed.tail:
            device.socket.joined = True
            self._joined_at = max(self._joined_at, device.socket.position)

    def heartbeat(self, device: Device, feed: Feed) -> None:
        assert device.socket is not None, "it is connected"
        if device.epoch == self.stream.epoch:
            device.heartbeat(feed.whole if device.socket.joined else min(feed.whole, device.socket.position))

    def _begin_anew(self, device: Device, feed: Feed) -> None:
        device.begin_anew(feed.seq, self.stream.epoch)
        device.socket = Socket(feed.seq, joined=True)
        self._joined_at = max(self._joined_at, feed.seq)
