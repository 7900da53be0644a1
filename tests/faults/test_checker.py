"""The judge of the fault matrix, tried on a recorded run that is in order and on what it must refuse."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bench.faults.checker import Verdict, judge, rebuild
from bench.faults.run import DeviceRun, Expected, Fetched, ItemState, Received, Record, Run, UserState

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def version(minute: int) -> dt.datetime:
    return NOON + dt.timedelta(minutes=minute)


def item(name: str, minute: int, *, is_read: bool = False, recipient: str = "alice") -> dict[str, Any]:
    updated_at = version(minute).isoformat()
    return {"id": name, "recipient_id": recipient, "title": name, "is_read": is_read, "updated_at": updated_at}


def hello(seq: int, *, resumed: bool, user: str = "alice") -> dict[str, Any]:
    data = {"user_id": user, "epoch": "one", "resumed": resumed, "heartbeat": 25}
    return {"event": "hello", "seq": seq, "data": data}


def event(name: str, seq: int, id_: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"event": name, "seq": seq, "id": id_, "data": data}


def received(*frames: dict[str, Any], connection: int = 1) -> list[Record]:
    return [Received(100.0 + frame["seq"], connection, frame) for frame in frames]


EXPECTED = (
    Expected("c1", "alice", "connection", "connection_answer:created", 1, "answer", 101.0),
    Expected("e1", "alice", "inbox", "inbox:created", 1, "first", 101.0, version(1)),
    Expected("e2", "alice", "inbox", "inbox:created", 2, "second", 102.0, version(2)),
    Expected("e3", "alice", "inbox", "inbox:updated", 4, "first", 104.0, version(4)),
    Expected("e4", "alice", "inbox", "inbox:deleted", 5, "second", 105.0, version(2)),
    Expected("b1", "bob", "inbox", "inbox:created", 3, "his", 103.0, version(3)),
)

OF_ALICE = (
    hello(0, resumed=False),
    event("connection_answer:created", 1, "c1", {"answer": {"id": "answer"}}),
    event("inbox:created", 2, "e1", item("first", 1)),
    event("inbox:created", 3, "e2", item("second", 2)),
    event("inbox:unread", 4, "u2", {"unread_count": 2}),
    {"event": "heartbeat", "seq": 4},
    event("inbox:updated", 6, "e3", item("first", 4, is_read=True)),
    event("inbox:deleted", 7, "e4", {"id": "second"}),
    event("inbox:unread", 8, "u4", {"unread_count": 0}),
)

OF_BOB = (
    hello(0, resumed=False, user="bob"),
    event("inbox:created", 5, "b1", item("his", 3, recipient="bob")),
    event("inbox:unread", 6, "v1", {"unread_count": 1}),
)

FINAL = {
    "alice": UserState({"first": ItemState("first", True, version(4))}, frozenset({"answer"}), 0),
    "bob": UserState({"his": ItemState("his", False, version(3))}, frozenset(), 1),
}


def run_of(alice: Sequence[Record], bob: Sequence[Record] | None = None, **changes: Any) -> Run:
    """The run in which alice's and bob's device recorded these."""
    run = Run(
        expected=EXPECTED,
        acked=frozenset({("first", "insert")}),
        captured=frozenset({("first", "insert"), ("first", "update")}),
        besides={"u2": "alice", "u4": "alice", "v1": "bob"},
        devices=[
            DeviceRun("hers", "alice", alice),
            DeviceRun("his", "bob", received(*OF_BOB) if bob is None else bob),
        ],
        final=FINAL,
    )
    return dataclasses.replace(run, **changes)


def kinds(verdict: Verdict) -> set[str]:
    """What the judge complains about."""
    names = ("lost", "doubled", "disordered", "foreign", "stale")
    return {name for name in names if getattr(verdict, name)}


def test_a_run_in_order_is_accepted() -> None:
    """And its events are counted."""
    verdict = judge(run_of(received(*OF_ALICE)))
    assert (verdict.complaints, verdict.delivered, verdict.told) == ([], 6, 0)


@pytest.mark.parametrize("index", [1, 2, 3, 6, 7])
def test_a_run_with_one_event_removed_is_refused(index: int) -> None:
    """Whichever it is."""
    assert "lost" in kinds(judge(run_of(received(*OF_ALICE[:index], *OF_ALICE[index + 1 :]))))


@pytest.mark.parametrize("index", [1, 2, 3, 4, 6, 7])
def test_a_run_with_one_event_doubled_is_refused(index: int) -> None:
    """Also when the second copy has a sequence of its own, on another connection."""
    frame = OF_ALICE[index]
    assert "doubled" in kinds(judge(run_of(received(*OF_ALICE[: index + 1], frame, *OF_ALICE[index + 1 :]))))
    again = received(hello(8, resumed=True), {**frame, "seq": 9}, connection=2)
    assert "doubled" in kinds(judge(run_of([*received(*OF_ALICE), *again])))


@pytest.mark.parametrize(("first", "second"), [(2, 3), (2, 6), (3, 7), (6, 7), (4, 8)])
def test_a_run_with_two_events_of_one_source_swapped_is_refused(first: int, second: int) -> None:
    """Their sequences tell."""
    frames = list(OF_ALICE)
    frames[first], frames[second] = frames[second], frames[first]
    assert "disordered" in kinds(judge(run_of(received(*frames))))


def test_two_events_at_one_sequence_are_refused() -> None:
    """One of them cannot stand there."""
    frames = [*OF_ALICE[:3], {**OF_ALICE[3], "seq": OF_ALICE[2]["seq"]}, *OF_ALICE[4:]]
    assert kinds(judge(run_of(received(*frames)))) == {"disordered"}


def test_a_history_that_was_stored_in_the_wrong_order_is_refused() -> None:
    """Though the sequences increase."""
    frames = list(OF_ALICE)
    frames[2], frames[6] = {**frames[6], "seq": 2}, {**frames[2], "seq": 6}
    assert kinds(judge(run_of(received(*frames)))) == {"disordered"}


def test_an_event_of_the_other_source_may_come_later() -> None:
    """Order is promised within a source: what was repaired may lie behind a higher sequence of the other one."""
    frames = [OF_ALICE[0], *OF_ALICE[2:], OF_ALICE[1]]
    assert judge(run_of(received(*frames))).complaints == []


@pytest.mark.parametrize("index", [1, 2])
def test_a_run_with_one_event_misaddressed_is_refused(index: int) -> None:
    """An item or a count that is somebody else's; it is not taken for one's own either."""
    bob = received(*OF_BOB)
    misaddressed = Received(110.0, 1, {**OF_BOB[index], "seq": 9})
    assert kinds(judge(run_of([*received(*OF_ALICE), misaddressed], bob))) >= {"foreign"}
    assert "lost" in kinds(judge(run_of([*received(*OF_ALICE), misaddressed], bob[:1])))


def test_an_event_that_nobody_committed_is_refused() -> None:
    """Nobody is whom it is for."""
    phantom = event("inbox:unread", 9, "nobody's", {"unread_count": 0})
    assert kinds(judge(run_of(received(*OF_ALICE, phantom)))) == {"foreign"}


def test_a_greeting_as_somebody_else_is_refused() -> None:
    """Whatever follows."""
    assert kinds(judge(run_of(received(hello(0, resumed=False, user="bob"), *OF_ALICE[1:])))) == {"foreign"}


def test_an_acked_write_that_was_not_captured_is_lost() -> None:
    """No device could miss it."""
    run = run_of(received(*OF_ALICE), acked=frozenset({("first", "delete")}))
    assert kinds(judge(run)) == {"lost"}


@pytest.mark.parametrize(
    "wrong",
    [
        UserState({}, frozenset({"answer"}), 0),
        UserState({"first": ItemState("first", False, version(4))}, frozenset({"answer"}), 0),
        UserState(FINAL["alice"].items, frozenset(), 0),
        UserState(FINAL["alice"].items, frozenset({"answer"}), 1),
    ],
)
def test_a_state_that_is_not_what_the_database_holds_is_refused(wrong: UserState) -> None:
    """An item, an answer or the count."""
    assert kinds(judge(run_of(received(*OF_ALICE), final={**FINAL, "alice": wrong}))) == {"stale"}


ALIEN = Expected("x1", "alice", "connection", "connection_answer:created", 0, "x1", 108.5, readable=False)
UNREADABLE = event("connection_answer:created", 9, "x1", {"answer": 5})


def test_what_somebody_has_published_that_nobody_can_read_is_expected_as_it_is() -> None:
    """It changes nothing of what a device believes."""
    verdict = judge(run_of(received(*OF_ALICE, UNREADABLE), expected=[*EXPECTED, ALIEN]))
    assert (verdict.complaints, verdict.delivered) == ([], 7)


def test_what_nobody_can_read_may_neither_be_lost_nor_doubled_swapped_or_misaddressed() -> None:
    """It is an event like any other."""

    def complaints(alice: Sequence[Record], bob: Sequence[Record] | None = None) -> set[str]:
        return kinds(judge(run_of(alice, bob, expected=[*EXPECTED, ALIEN])))

    assert complaints(received(*OF_ALICE)) == {"lost"}
    assert complaints([*received(*OF_ALICE), Fetched(9, 109.0, 109.0, FINAL["alice"])]) == {"lost"}
    assert complaints(received(*OF_ALICE, UNREADABLE, {**UNREADABLE, "seq": 10})) == {"doubled"}
    assert complaints(received(OF_ALICE[0], UNREADABLE, *OF_ALICE[1:])) == {"disordered"}
    assert complaints(received(*OF_ALICE, UNREADABLE), [*received(*OF_BOB), *received(UNREADABLE)]) == {"foreign"}


def test_an_event_of_ours_that_nobody_can_read_is_refused() -> None:
    """Or one of nobody."""
    phantom = judge(run_of(received(*OF_ALICE, UNREADABLE)))
    assert kinds(phantom) == {"foreign"}
    for index in (2, 4):
        spoilt = {name: value for name, value in OF_ALICE[index].items() if name != "data"}
        assert "foreign" in kinds(judge(run_of(received(*OF_ALICE[:index], spoilt, *OF_ALICE[index + 1 :]))))
    unanswered = {**UNREADABLE, "id": "c1", "seq": 1}
    assert "stale" in kinds(judge(run_of(received(OF_ALICE[0], unanswered, *OF_ALICE[2:]))))


@pytest.mark.parametrize("index", [1, 2, 3, 6, 7])
def test_what_a_device_missed_is_lost_if_it_was_told_to_fetch_and_did_not(index: int) -> None:
    """To come back with a cursor that is worth nothing excuses no gap by itself."""
    frames = [*OF_ALICE[:index], hello(0, resumed=False), *OF_ALICE[index + 1 :]]
    assert "lost" in kinds(judge(run_of(received(*frames))))


Told = Callable[[int], dict[str, Any]]


@pytest.mark.parametrize(
    "told",
    [
        lambda seq: hello(seq, resumed=False),
        lambda seq: {"event": "resync", "seq": seq, "data": {"reason": "the stream was restored", "epoch": "two"}},
    ],
)
def test_what_was_fetched_when_told_to_counts_as_told(told: Told) -> None:
    """A gap that the device was told of is none; sequences begin anew behind it."""
    records = [*received(*OF_ALICE[:4], told(0)), Fetched(5, 107.0, 107.0, FINAL["alice"])]
    verdict = judge(run_of(records))
    assert (verdict.complaints, verdict.delivered, verdict.told) == ([], 4, 2)
    later = received({**OF_ALICE[8], "seq": 1})
    assert judge(run_of([*records, *later])).complaints == []


@pytest.mark.parametrize(
    ("state", "asked"),
    [
        (UserState({}, frozenset({"answer"}), 0), 104.5),
        (UserState({"first": ItemState("first", False, version(1))}, frozenset({"answer"}), 1), 107.0),
        (UserState(FINAL["alice"].items, frozenset(), 0), 107.0),
        (UserState(FINAL["alice"].items, frozenset({"answer"}), 0), 104.5),
    ],
)
def test_what_a_fetch_could_not_show_is_lost(state: UserState, asked: float) -> None:
    """It showed an older item, no answer, or nothing of an item that was not removed yet."""
    records = [*received(*OF_ALICE[:1]), Fetched(1, asked, asked, state)]
    assert "lost" in kinds(judge(run_of(records)))


@pytest.mark.parametrize(
    ("missed", "asked", "answered", "lost"),
    [(3, 104.5, 105.5, False), (3, 104.5, 104.9, True), (3, 101.5, 105.5, True), (7, 104.5, 105.5, True)],
    ids=["removed meanwhile", "removed later", "made and removed meanwhile", "the removal itself"],
)
def test_what_was_removed_between_question_and_answer(missed: int, asked: float, answered: float, lost: bool) -> None:
    """A change from before the question needs no frame if the item is gone in the answer; what came later does."""
    gone = UserState({"first": ItemState("first", True, version(4))}, frozenset({"answer"}), 0)
    frames = [frame for number, frame in enumerate(OF_ALICE) if number != missed]
    records = [*received(*frames[:3]), Fetched(3, asked, answered, gone), *received(*frames[3:])]
    assert ("lost" in kinds(judge(run_of(records)))) is lost


def test_what_came_while_fetching_counts_unless_the_fetch_shows_something_later() -> None:
    """The frames since a device began to fetch are applied to what it was given."""
    late = UserState({"first": ItemState("first", True, version(4))}, frozenset(), 1)
    records = [*received(*OF_ALICE[:3]), Fetched(1, 101.5, 101.5, late), *received(*OF_ALICE[3:5])]
    state = rebuild(DeviceRun("hers", "alice", records))
    assert state.items["first"] == late.items["first"]
    assert state.items.keys() == {"first", "second"}
    assert (state.answers, state.unread) == (frozenset({"answer"}), 2)
