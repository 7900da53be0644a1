"""The feed as a state machine: messages in, deliveries and reads out."""

from push_gateway.feed import HELD_MAX, Feed, Step
from push_gateway.messages import StoredEvent


def event(seq: int, previous: int | None, source: bytes = b"inbox") -> StoredEvent:
    """A live event, or one that was read if `previous` is None."""
    return StoredEvent(source, seq, previous, b"%d" % seq)


def read(*seqs: int, source: bytes = b"inbox") -> list[StoredEvent]:
    """Events as a read brings them."""
    return [event(seq, None, source) for seq in seqs]


def placed(start: int) -> Feed:
    """A feed that is complete from `start` on."""
    feed = Feed()
    assert told(feed.place(start)) == QUIET
    return feed


def told(step: Step) -> tuple[list[int], int | None]:
    """What a step delivers, and after what it reads."""
    return [event.seq for event in step.deliver], step.read_after


QUIET: tuple[list[int], None] = [], None


def test_an_event_whose_predecessor_is_known_is_delivered() -> None:
    """The usual case: nothing is read."""
    feed = placed(10)
    assert told(feed.live(event(11, 0))) == ([11], None)
    assert told(feed.live(event(15, 11))) == ([15], None)
    assert feed.seq == 15


def test_what_arrives_before_the_feed_has_its_place_is_held_and_then_sorted_out() -> None:
    """What the stream had when the feed was placed is known; what came behind it is delivered."""
    feed = Feed()
    for seq in (9, 10, 11):
        assert told(feed.live(event(seq, seq - 1))) == QUIET
    assert told(feed.place(10)) == ([11], None)


def test_a_lower_sequence_is_a_copy() -> None:
    """A new leader may republish what the old one has republished."""
    feed = placed(10)
    feed.live(event(11, 0))
    assert told(feed.live(event(11, 0))) == told(feed.live(event(10, 0))) == QUIET


def test_an_unknown_predecessor_is_a_gap_that_is_read_before_anything_goes_on() -> None:
    """The event that showed it waits, and so does what follows, whatever its source."""
    feed = placed(10)
    feed.live(event(11, 0))
    assert told(feed.live(event(13, 12))) == ([], 10)
    assert told(feed.live(event(14, 0, b"connection"))) == QUIET
    assert told(feed.read(read(11, 12, 13), through=13, more=False)) == ([12, 13, 14], None)


def test_a_read_in_parts_goes_on_where_the_last_part_ended() -> None:
    """A long gap is not read at once."""
    feed = placed(10)
    feed.live(event(99, 98))
    assert told(feed.read(read(11, 12), through=12, more=True)) == ([11, 12], 12)
    assert told(feed.read(read(98, 99), through=99, more=False)) == ([98, 99], None)


def test_a_gap_that_a_lagging_replica_cannot_close_is_read_again() -> None:
    """It did not have the message yet; another one has, or will."""
    feed = placed(10)
    feed.live(event(13, 12))
    assert told(feed.read(read(11), through=11, more=False)) == ([11], 11)
    assert told(feed.read(read(12), through=12, more=False)) == ([12, 13], None)


def test_what_was_read_is_not_read_again_for_the_sake_of_a_silent_source() -> None:
    """A read covers all sources, so all of them are known up to its end."""
    feed = placed(10)
    feed.suspect()
    feed.read(read(11, 12), through=12, more=False)
    assert told(feed.suspect()) == ([], 12)


def test_a_gap_of_one_source_does_not_hide_an_earlier_one_of_the_other() -> None:
    """Every read begins where all sources are known, not where the gap was seen."""
    feed = placed(10)
    feed.live(event(13, 0))
    assert told(feed.live(event(15, 14))) == ([], 10), "11 of the other source is lost too, and nobody knows yet"
    lost = event(11, None, b"connection")
    assert told(feed.read([lost, *read(13, 14, 15)], through=15, more=False)) == ([11, 14, 15], None)


def test_suspicions_during_a_read_make_one_more_read() -> None:
    """Not one each: what they mean is in the stream by then."""
    feed = placed(10)
    assert told(feed.suspect()) == ([], 10)
    assert told(feed.suspect()) == told(feed.suspect()) == QUIET
    assert told(feed.read([], through=10, more=False)) == ([], 10)
    assert told(feed.read([], through=10, more=False)) == QUIET


def test_a_suspicion_before_the_feed_has_its_place_is_not_forgotten() -> None:
    """The connection may break between subscribing and placing."""
    feed = Feed()
    assert told(feed.suspect()) == QUIET
    assert told(feed.place(10)) == ([], 10)


def test_an_event_that_is_known_to_exist_is_read_until_it_is_there() -> None:
    """A lagging replica may not have it yet; were that taken for an answer, nothing would ask again."""
    feed = placed(10)
    assert told(feed.expect(b"inbox", 12)) == ([], 10)
    assert told(feed.read([], through=10, more=False)) == ([], 10)
    assert told(feed.read(read(12), through=12, more=False)) == ([12], None)
    assert told(feed.expect(b"inbox", 12)) == QUIET


def test_an_event_that_turns_up_missing_during_a_read_is_not_forgotten() -> None:
    """The read may have been answered before the event was stored."""
    feed = placed(10)
    feed.suspect()
    assert told(feed.expect(b"connection", 12)) == QUIET
    feed.confirm(20)
    assert told(feed.read([], through=10, more=False)) == ([], 10)
    assert told(feed.read(read(12, source=b"connection"), through=12, more=False)) == ([12], None)


def test_what_was_compared_with_the_stream_moves_the_position() -> None:
    """So a client that was sent nothing for a week can still resume."""
    feed = placed(10)
    feed.confirm(90)
    assert feed.seq == 90
    assert told(feed.live(event(91, 0))) == ([91], None)


def test_more_than_can_be_held_is_found_in_the_stream() -> None:
    """The newest is kept, and shows that something before it is missing."""
    feed = placed(0)
    feed.suspect()
    for seq in range(1, HELD_MAX + 4):
        assert told(feed.live(event(seq, seq - 1))) == QUIET
    delivered, read_after = told(feed.read([], through=0, more=False))
    assert (delivered, read_after) == (list(range(1, HELD_MAX + 1)), 0)
    rest = read(*range(1, HELD_MAX + 3))
    last_three = [HELD_MAX + 1, HELD_MAX + 2, HELD_MAX + 3]
    assert told(feed.read(rest, through=HELD_MAX + 2, more=False)) == (last_three, None)
