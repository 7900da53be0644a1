"""The feed against a model: whatever is lost, doubled, delayed, trimmed, or read from a replica that lags."""

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import push_gateway.feed
from push_gateway.feed import Feed, Step
from push_gateway.messages import StoredEvent
from tests.push_gateway.feed_devices import SOURCES, Device, Room, Socket, Stream

pytestmark = pytest.mark.long

PHASES = tuple(phase for phase in Phase if phase is not Phase.explain)
"""To explain a failure takes minutes; the shortest example says enough."""

DEVICES = 2

FATES = ["arrives", "arrives", "is lost", "is on the way"]
"""Of a live copy."""

LAG = st.integers(0, 3)
"""How many of the last events a replica lacks."""


class FeedMachine(RuleBasedStateMachine):
    """A stream, the live copies that are still on the way, the feed that gets some of them, and devices that share it.

    The model is what is stored. Left out is what no feed can know: that its own messages of an old history arrive after
    it was told of a new one, and that retention takes, after days, what it has not read within seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stream = Stream()
        self.room = Room(self.stream, DEVICES)
        self.on_the_way: list[StoredEvent] = []
        self.swept = 0
        self.open_feed()

    def open_feed(self) -> None:
        self.feed = Feed()
        self.arrived: list[StoredEvent] = []
        self.delivered: list[StoredEvent] = []
        self.start: int | None = None
        self.reading_after: int | None = None
        self.unheeded = False  # whether no read has begun since the last suspicion

    @initialize(before=st.lists(st.sampled_from(SOURCES), max_size=5), at_once=st.booleans())
    def begin(self, before: list[bytes], at_once: bool) -> None:
        for source in before:
            self.stream.store(source, again=False)
        if at_once:
            self.place()
            self.room.connect(self.room.devices[0], self.feed)

    @rule(
        events=st.lists(st.tuples(st.sampled_from(SOURCES), st.sampled_from(FATES)), min_size=1, max_size=6),
        others=st.integers(0, 2),
        again=st.sampled_from([False, False, False, True]),
    )
    def store(self, events: list[tuple[bytes, str]], others: int, again: bool) -> None:
        """Behind events of other users. A live copy may be lost: the leader dies, a route is cut."""
        self.stream.top += others
        for source, live_copy in events:
            event = self.stream.store(source, again=again and self.stream.epoch > 0)
            if live_copy == "arrives":
                self.arrive(event)
            elif live_copy == "is on the way":
                self.on_the_way.append(event)

    def arrive(self, event: StoredEvent) -> None:
        self.arrived.append(event)
        self.follow(self.feed.live(event))

    @precondition(lambda self: self.on_the_way)
    @rule(overtaken=st.integers(0, 2))
    def live_copy_arrives(self, overtaken: int) -> None:
        """In order as a rule; after a change of leaders a later one may overtake."""
        self.arrive(self.on_the_way.pop(min(overtaken, len(self.on_the_way) - 1)))

    @precondition(lambda self: self.stream.history)
    @rule(data=st.data())
    def live_copy_arrives_again(self, data: st.DataObject) -> None:
        """A new leader republishes what the old one has republished."""
        self.arrive(data.draw(st.sampled_from(self.stream.history)))

    @precondition(lambda self: self.start is None)
    @rule()
    def place(self) -> None:
        """The stream's leader says where it stands."""
        self.start = self.stream.top
        self.follow(self.feed.place(self.start))

    @rule()
    def suspect(self) -> None:
        """The connection was interrupted, or there is a new leader."""
        self.unheeded = True
        self.follow(self.feed.suspect())

    @rule(lag=LAG)
    def sweep(self, lag: int) -> None:
        """A replica says what the last events were of all that was stored since the last sweep, and how far it is."""
        missing = self.stream.history[len(self.stream.history) - lag :]
        through = missing[0].seq - 1 if missing else self.stream.top
        found = [event for event in self.stream.lagging(lag) if event.seq > self.swept]
        for source, seq in {event.source: event.seq for event in found}.items():
            self.follow(self.feed.expect(source, seq))
        self.feed.confirm(through)
        self.swept = max(self.swept, through)

    @precondition(lambda self: self.reading_after is not None)
    @rule(answers=st.lists(st.tuples(st.integers(1, 4), LAG), min_size=1, max_size=3))
    def reads_are_answered(self, answers: list[tuple[int, int]]) -> None:
        """With so many events at most, by a replica that lacks the last ones; often one read follows from another."""
        for batch, lag in answers:
            if self.reading_after is not None:
                events, through, more = self.stream.read(self.reading_after, batch, lag)
                self.reading_after = None
                self.follow(self.feed.read(events, through=through, more=more))

    def follow(self, step: Step) -> None:
        """What the gateway does with a step."""
        self.delivered += step.deliver
        self.room.deliver(step.deliver)
        if step.read_after is not None:
            assert self.reading_after is None, "there is never a second read under way"
            self.reading_after = step.read_after
            self.unheeded = False

    @precondition(lambda self: self.start is not None)
    @rule(kept=st.integers(0, 4), beyond=st.integers(0, 2))
    def new_history(self, kept: int, beyond: int) -> None:
        """The stream comes back without its last events, and has a new epoch."""
        stream = self.stream
        stream.history = stream.history[: max(0, len(stream.history) - kept)]
        stream.top = min(stream.top, max([stream.first - 1, *(each.seq for each in stream.history)]) + beyond)
        stream.epoch += 1
        self.swept = min(self.swept, stream.top)
        self.on_the_way, self.arrived, self.delivered = [], [], []
        self.start, self.reading_after, self.unheeded = stream.top, None, False
        self.feed.restart(stream.top)
        self.room.restart(stream.top)

    @rule(share=st.integers(1, 4))
    def trim(self, share: int) -> None:
        """Retention takes a part of what every feed has, but not every device that is away."""
        through = self.stream.top if self.start is None else self.feed.whole
        self.stream.first += max(0, through + 1 - self.stream.first) * share // 4

    @rule(number=st.integers(0, DEVICES - 1), feed_too=st.booleans())
    def come_or_go(self, number: int, feed_too: bool) -> None:
        """A device connects that was never here or was away; or it leaves, and the last one may take the feed along."""
        device = self.room.devices[number]
        if device.socket is not None:
            device.socket = None
            if feed_too and not any(each.socket for each in self.room.devices):
                self.open_feed()
        elif self.start is not None:
            self.room.connect(device, self.feed)

    @rule(number=st.integers(0, DEVICES - 1), batches=st.lists(st.integers(1, 4), min_size=1, max_size=3), lag=LAG)
    def replay(self, number: int, batches: list[int], lag: int) -> None:
        """A socket that has not joined goes on: it reads, is sent what it has read, tries to join."""
        device = self.room.devices[number]
        for batch in batches:
            match device.socket:
                case Socket(joined=False, answer=None, up_to_date=False) as socket:
                    socket.answer = self.stream.read(socket.position, batch, lag)
                case Socket(joined=False, up_to_date=True):
                    self.room.join(device, self.feed)
                case Socket(joined=False):
                    self.room.replay(device, self.feed)

    @rule(number=st.integers(0, DEVICES - 1))
    def heartbeat(self, number: int) -> None:
        """It tells the client up to where it lacks nothing, and the client believes it."""
        if self.room.devices[number].socket is not None:
            self.room.heartbeat(self.room.devices[number], self.feed)

    @invariant()
    def nobody_was_skipped_doubled_or_disordered(self) -> None:
        """What a device was sent of a source is how the events begin that it lacks: as they were stored, each once."""
        for device in self.current():
            for source in SOURCES:
                got = [event.seq for event in device.got if event.source == source]
                assert got == self.owed(device, source)[: len(got)]

    def current(self) -> list[Device]:
        """The devices that were told of this epoch."""
        return [each for each in self.room.devices if each.base is not None and each.epoch == self.stream.epoch]

    def owed(self, device: Device, source: bytes) -> list[int]:
        assert device.base is not None, "it was connected"
        return self.stream.owed(source, device.base)

    @invariant()
    def it_holds_back_only_while_it_reads_or_has_no_place(self) -> None:
        """Else an event would wait for nothing."""
        assert self.feed.reading == (self.start is None or self.reading_after is not None)

    @invariant()
    def at_rest_it_owes_nothing(self) -> None:
        """What has arrived or was found by a sweep was delivered, and every suspicion was looked into."""
        if not self.feed.reading:
            swept = (event for event in self.stream.history if event.seq <= self.swept)
            assert self.unknown([*self.arrived, *swept]) == []
            assert not self.unheeded

    def unknown(self, events: Iterable[StoredEvent]) -> list[int]:
        """Which of `events` neither the start covers nor were delivered."""
        known = {event.seq for event in self.delivered}
        return [event.seq for event in events if event.seq > (self.start or 0) and event.seq not in known]

    @invariant()
    def its_position_is_what_it_has(self) -> None:
        """What the start covers is not delivered, and nothing up to where it is whole is missing."""
        if self.start is not None:
            known = {event.seq for event in self.delivered}
            assert all(seq > self.start for seq in known)
            assert max([self.start, *known]) <= self.feed.seq <= self.stream.top
            assert self.unknown(event for event in self.stream.history if event.seq <= self.feed.whole) == []

    def teardown(self) -> None:
        """When nothing is on the way, one suspicion and complete reads bring every device that comes back all it lacks.

        Or it is told to begin anew.
        """
        if self.start is None:
            self.place()
        self.suspect()
        steps = 3 * len(self.stream.history) + 3
        if self.reading_after is not None:
            self.reads_are_answered([(4, 0)] * steps)
        assert self.reading_after is None, "it comes to rest"
        for number, device in enumerate(self.room.devices):
            if device.socket is None:
                self.come_or_go(number, feed_too=False)
            assert device.socket is not None, "it has connected"
            for _ in range(steps):
                self.replay(number, [4], 0)
                if device.socket.joined:
                    break
            assert device.socket.joined, "it catches up"
            for source in SOURCES:
                assert [event.seq for event in device.got if event.source == source] == self.owed(device, source)


@pytest.mark.parametrize("held_max", [2, 1_000])
def test_a_feed_delivers_what_is_stored_once_and_in_order(held_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a small number of messages that it may hold back, letting go of them is common."""
    monkeypatch.setattr(push_gateway.feed, "HELD_MAX", held_max)
    run_state_machine_as_test(
        FeedMachine,
        settings=settings(
            max_examples=250,
            stateful_step_count=40,
            deadline=None,
            phases=PHASES,
            suppress_health_check=[HealthCheck.too_slow],  # that says something of the machine alone
        ),
    )
