"""The feed against a model: whatever is lost, doubled, delayed or read from a replica that lags."""

import pytest
from hypothesis import Phase, settings
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

SOURCES = (b"connection", b"inbox")

PHASES = tuple(phase for phase in Phase if phase is not Phase.explain)
"""To explain a failure takes minutes; the shortest example says enough."""


class FeedMachine(RuleBasedStateMachine):
    """A stream, the live copies of its events that are still on the way, and the feed that gets some of them."""

    def __init__(self) -> None:
        super().__init__()
        self.feed = Feed()
        self.stored: list[StoredEvent] = []
        self.on_the_way: list[StoredEvent] = []
        self.arrived: list[StoredEvent] = []
        self.delivered: list[StoredEvent] = []
        self.start: int | None = None
        self.reading_after: int | None = None
        self.unheeded = False  # whether no read has begun since the last suspicion
        self.swept = 0

    @initialize(before=st.lists(st.sampled_from(SOURCES), max_size=5))
    def begin(self, before: list[bytes]) -> None:
        for source in before:
            self.store(source, 1, "is lost")

    @rule(
        source=st.sampled_from(SOURCES),
        distance=st.integers(1, 3),
        live_copy=st.sampled_from(["arrives", "is on the way", "is lost"]),
    )
    def store(self, source: bytes, distance: int, live_copy: str) -> None:
        """In between stand events of other users. The live copy may be lost: the leader dies, a route is cut."""
        seq = self.last + distance
        previous = max((event.seq for event in self.stored if event.source == source), default=0)
        event = StoredEvent(source, seq, previous, b"%d" % seq)
        self.stored.append(event)
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

    @precondition(lambda self: self.stored)
    @rule(data=st.data())
    def live_copy_arrives_again(self, data: st.DataObject) -> None:
        """A new leader republishes what the old one has republished."""
        self.arrive(data.draw(st.sampled_from(self.stored)))

    @precondition(lambda self: self.start is None)
    @rule()
    def place(self) -> None:
        """The stream's leader says where it stands."""
        self.start = self.last
        self.follow(self.feed.place(self.last))

    @rule()
    def suspect(self) -> None:
        """The connection was interrupted, or a sweep has found something."""
        self.unheeded = True
        self.follow(self.feed.suspect())

    @precondition(lambda self: self.stored)
    @rule(lag=st.integers(0, 2))
    def sweep(self, lag: int) -> None:
        """Another replica says what the last events were of all that was stored since the last sweep."""
        found = [event for event in self.stored[: len(self.stored) - lag] if event.seq > self.swept]
        for source, seq in {event.source: event.seq for event in found}.items():
            self.follow(self.feed.expect(source, seq))
        self.swept = max([self.swept, *(event.seq for event in found)])
        self.feed.confirm(self.swept)

    @precondition(lambda self: self.reading_after is not None)
    @rule(batch=st.integers(1, 4), lag=st.integers(0, 3))
    def read_is_answered(self, batch: int, lag: int) -> None:
        """By a replica that lacks the last `lag` events."""
        after = self.reading_after
        assert after is not None, "the precondition"
        has = [event for event in self.stored[: len(self.stored) - lag] if event.seq > after]
        events = [StoredEvent(event.source, event.seq, None, event.frame) for event in has[:batch]]
        through = events[-1].seq if events else after
        self.reading_after = None
        self.follow(self.feed.read(events, through=through, more=len(has) > batch))

    def follow(self, step: Step) -> None:
        """What the gateway does with a step."""
        self.delivered += step.deliver
        if step.read_after is not None:
            assert self.reading_after is None, "there is never a second read under way"
            self.reading_after = step.read_after
            self.unheeded = False

    @property
    def last(self) -> int:
        return self.stored[-1].seq if self.stored else 0

    def seqs(self, events: list[StoredEvent], source: bytes) -> list[int]:
        return [event.seq for event in events if event.source == source and event.seq > (self.start or 0)]

    @invariant()
    def nothing_was_skipped_doubled_or_disordered(self) -> None:
        """What was delivered of a source is how its events begin: a prefix of what was stored, as it was stored."""
        for source in SOURCES:
            delivered = self.seqs(self.delivered, source)
            assert delivered == self.seqs(self.stored, source)[: len(delivered)]
        assert all(event.seq > (self.start or 0) for event in self.delivered), "what the start covers is not delivered"

    @invariant()
    def it_holds_back_only_while_it_reads_or_has_no_place(self) -> None:
        """Else an event would wait for nothing."""
        assert self.feed.reading == (self.start is None or self.reading_after is not None)

    @invariant()
    def at_rest_it_owes_nothing(self) -> None:
        """What has arrived or was found by a sweep was delivered, and every suspicion was looked into."""
        if not self.feed.reading:
            assert all(self.is_known(event) for event in self.arrived)
            assert all(self.is_known(event) for event in self.stored if event.seq <= self.swept)
            assert not self.unheeded

    def is_known(self, event: StoredEvent) -> bool:
        return event.seq <= (self.start or 0) or event.seq in self.seqs(self.delivered, event.source)

    @invariant()
    def its_position_is_what_the_client_has(self) -> None:
        """A heartbeat must not promise what was never sent."""
        assert self.feed.seq >= max((event.seq for event in self.delivered), default=0)
        if self.start is not None:
            assert self.feed.seq == max([self.start, *(event.seq for event in self.delivered)])

    def teardown(self) -> None:
        """When nothing is on the way, one suspicion and complete reads bring everything."""
        if self.start is None:
            self.place()
        self.suspect()
        for _ in range(3 * len(self.stored) + 3):
            if self.reading_after is not None:
                self.read_is_answered(4, 0)
        assert self.reading_after is None, "it comes to rest"
        for source in SOURCES:
            assert self.seqs(self.delivered, source) == self.seqs(self.stored, source)


@pytest.mark.parametrize("held_max", [2, 1_000])
def test_a_feed_delivers_what_is_stored_once_and_in_order(held_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a small number of messages that it may hold back, letting go of them is common."""
    monkeypatch.setattr(push_gateway.feed, "HELD_MAX", held_max)
    run_state_machine_as_test(
        FeedMachine, settings=settings(max_examples=200, stateful_step_count=30, deadline=None, phases=PHASES)
    )
