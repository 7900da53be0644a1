"""What a user id may be, and which subjects it reaches."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts import subjects
from contracts.events import EVENT_TYPES
from contracts.subjects import InvalidUserId, UnknownSubject, UserId, addressee, event_subject, user_id

ALPHABET = string.ascii_letters + string.digits + "_-"

user_ids = st.text(ALPHABET, min_size=1, max_size=64).map(UserId)
sources = st.sampled_from(subjects.SOURCES)
near_misses = st.text(ALPHABET + ".*> \t\r\n\0é٣\uff41", max_size=70)


def reaches(pattern: str, subject: str) -> bool:
    """NATS's own rule: `*` is one token, `>` is one or more to the end."""
    wanted, tokens = pattern.split("."), subject.split(".")
    if wanted[-1] == ">" and len(tokens) >= len(wanted):
        wanted[-1:] = tokens[len(wanted) - 1 :]
    return len(wanted) == len(tokens) and all(w in ("*", t) for w, t in zip(wanted, tokens, strict=True))


@given(user_ids)
def test_a_user_id_is_returned_as_it_is(user: UserId) -> None:
    assert user_id(user) == user


@given(st.text() | near_misses)
def test_nothing_outside_the_pattern_is_a_user_id(text: str) -> None:
    assume(not (1 <= len(text) <= 64 and set(text) <= set(ALPHABET)))
    with pytest.raises(InvalidUserId):
        user_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 65,
        "alice\n",
        "alice\r\n",
        "\nalice",
        "alice\0",
        "alice bob",
        "alice.bob",
        "alice.>",
        ".",
        "*",
        ">",
        "ali*",
        "٣",
        "alicé",
        "\uff41lice",
        "\ud800",
        b"alice",
        7,
        None,
    ],
)
def test_what_would_reach_another_subject_is_no_user_id(text: object) -> None:
    with pytest.raises(InvalidUserId, match="is not a user id"):
        user_id(text)


@given(user_ids, sources)
def test_an_event_goes_to_the_user_it_is_addressed_to(user: UserId, source: subjects.Source) -> None:
    subject = event_subject(user, source)
    assert addressee(subject) == (user, source)
    assert reaches(subjects.EVENTS_FILTER, subject)
    assert reaches(subjects.user_filter(user), subject)
    assert reaches(subjects.source_filter(source), subject)


@given(user_ids, sources)
def test_the_live_copy_goes_to_the_same_user(user: UserId, source: subjects.Source) -> None:
    subject = event_subject(user, source)
    copy = subjects.REPUBLISH_DESTINATION.replace(">", subject.removeprefix("events."))
    assert reaches(subjects.REPUBLISH_SOURCE, subject)
    assert reaches(subjects.push_filter(user), copy)
    assert addressee(copy) == (user, source)


@given(user_ids, user_ids, sources)
def test_no_filter_of_one_user_reaches_another(one: UserId, other: UserId, source: subjects.Source) -> None:
    assume(one != other)
    assert not reaches(subjects.user_filter(one), event_subject(other, source))
    assert not reaches(subjects.push_filter(one), f"push.{other}.{source}")


def test_the_live_copies_are_not_stored_again() -> None:
    assert not reaches(subjects.EVENTS_FILTER, "push.alice.inbox")


def test_a_dead_letter_is_stored_with_the_dead_letters() -> None:
    subject = subjects.dead_letter_subject(subjects.INBOX_CONSUMER)
    assert reaches(subjects.DEADLETTERS_FILTER, subject)
    assert not reaches(subjects.EVENTS_FILTER, subject)


@given(sources)
def test_a_nudge_is_no_event(source: subjects.Source) -> None:
    assert not reaches(subjects.EVENTS_FILTER, subjects.relay_nudge(source))


@given(st.text() | st.text("events.push*>inboxcaction\n"))
def test_only_a_whole_subject_has_an_addressee(text: str) -> None:
    try:
        user, source = addressee(text)
    except UnknownSubject:
        return
    assert text in (event_subject(user, source), f"push.{user}.{source}")


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "events",
        "events.alice",
        "events.alice.inbox.more",
        "events.alice.unknown",
        "events.alice.inbox\n",
        "events.*.inbox",
        "events..inbox",
        "events.alice\n.inbox",
        "relay.alice.inbox",
        "Events.alice.inbox",
    ],
)
def test_another_subject_has_no_addressee(subject: str) -> None:
    with pytest.raises(UnknownSubject):
        addressee(subject)


@given(user_ids, sources)
def test_the_documented_addresses_are_the_subjects(user: UserId, source: subjects.Source) -> None:
    assert subjects.EVENT_ADDRESS.format(user_id=user, source=source) == event_subject(user, source)
    assert reaches(subjects.push_filter(user), subjects.PUSH_ADDRESS.format(user_id=user, source=source))
    assert subjects.DEADLETTER_ADDRESS.format(consumer="c") == subjects.dead_letter_subject("c")


def test_the_name_of_every_event_begins_with_its_source() -> None:
    """By which a client knows which of its positions an event moves."""
    for name, kind in EVENT_TYPES.items():
        assert subjects.source_of(name) == kind.source
