"""The comparison names what is missing, extra, late or reordered, on the side where it is, and nothing else."""

import random
from collections.abc import Sequence

import pytest

from mirror.comparing import Hearing, Sending, Side, Verdict, compare, identity

PERIOD = (0, 1_000_000)

OTHER: dict[Side, Side] = {"old": "new", "new": "old"}

SIDES = pytest.mark.parametrize("side", OTHER)


def sending(number: int, *, what: int | None = None, noted: int = 1) -> Sending:
    """The message that is sent at second `number`."""
    return Sending(
        f"mirror-{number}", identity("inbox:updated", {"id": number if what is None else what}), noted, number
    )


SENT = [sending(number) for number in range(6)]


def heard(sent: Sequence[Sending], *, after: float = 0.01) -> list[Hearing]:
    """As each of them is delivered."""
    return [Hearing(each.what, each.at + after) for each in sent]


def verdict(side: Side, hearings: Sequence[Hearing], sent: Sequence[Sending] = SENT) -> Verdict:
    """On a side that has delivered this, where the other one has delivered everything."""
    both = compare(sent, {side: hearings, OTHER[side]: heard(sent)}, period=PERIOD)
    assert both[OTHER[side]].fine
    return both[side]


@SIDES
def test_two_sides_that_deliver_everything_are_fine(side: Side) -> None:
    """However soon: the old side may have it before the mirror knows of it."""
    told = verdict(side, heard(SENT, after=-0.5))
    assert told == Verdict(6, (), (), (), ())
    assert told.fine


@SIDES
def test_what_was_not_delivered_is_missing_on_that_side(side: Side) -> None:
    """And on no other; nor is anything else out of order by that."""
    told = verdict(side, heard(SENT[:2] + SENT[3:5]))
    assert told == Verdict(4, (SENT[2], SENT[5]), (), (), ())


@SIDES
def test_what_was_not_sent_or_less_often_is_extra(side: Side) -> None:
    """A foreign message, and a second copy."""
    foreign = sending(99)
    told = verdict(side, heard([*SENT[:3], SENT[2], *SENT[3:], foreign]))
    assert [extra.what for extra in told.extra] == [SENT[2].what, foreign.what]
    assert (told.delivered, told.missing, told.reordered) == (6, (), ())


@SIDES
def test_what_is_sent_twice_must_be_delivered_twice(side: Side) -> None:
    """As the old system sends `inbox:created`; that both are the same makes neither superfluous."""
    twice = [SENT[0], sending(1, what=0), SENT[2]]
    assert verdict(side, heard(twice), twice).fine
    assert verdict(side, heard([twice[0], twice[2]]), twice).missing == (twice[1],)


@SIDES
def test_what_comes_long_after_the_first_sign_of_it_is_late_by_so_much(side: Side) -> None:
    """The first sign is the mirror's knowledge, or that the other side had it."""
    hearings = heard(SENT)
    hearings[-1] = Hearing(hearings[-1].what, SENT[-1].at + 4)
    (late,) = verdict(side, hearings).late
    assert (late.sending, late.seconds) == (SENT[-1], 4)
    early = [Hearing(each.what, each.at - 3) for each in SENT]
    both = compare(SENT, {side: heard(SENT, after=0), OTHER[side]: early}, period=PERIOD)
    assert [each.seconds for each in both[side].late] == [3] * 6
    assert both[OTHER[side]].fine


@SIDES
def test_what_has_to_be_moved_to_restore_the_order_is_reordered(side: Side) -> None:
    """The fewest messages, and not all that they have overtaken."""
    told = verdict(side, heard([SENT[5], *SENT[:5]], after=0))
    assert (told.reordered, told.missing, told.extra) == ((SENT[5],), (), ())


@SIDES
def test_what_was_sent_before_both_sides_listened_is_recognised_and_not_judged(side: Side) -> None:
    """Nor what is sent after the end: one side may have it already."""
    sent = [sending(0, noted=-1), sending(1), sending(2, noted=PERIOD[1])]
    assert verdict(side, heard(sent[:2]), sent).fine
    assert verdict(side, heard(sent[1:]), sent).fine
    assert verdict(side, heard(sent), sent) == Verdict(1, (), (), (), ())


def test_the_order_of_fields_makes_no_difference() -> None:
    """A different type of a value does, and another event with the same data."""
    assert identity("e", {"a": 1, "b": [2.0]}) == identity("e", {"b": [2.0], "a": 1})
    assert identity("e", {"a": 1}) != identity("f", {"a": 1})
    assert identity("e", {"a": 1}) != identity("e", {"a": "1"})


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_dropped_doubled_and_delayed_is_named(seed: int) -> None:
    """At random, on both sides at once: the names are exactly those."""
    chance = random.Random(seed)
    sent = [sending(number) for number in range(300)]
    done: dict[Side, tuple[list[Sending], list[Sending], list[Sending]]] = {}
    hearings: dict[Side, list[Hearing]] = {}
    for side in OTHER:
        dropped, doubled, delayed = ([each for each in sent if chance.random() < 0.02] for _ in range(3))
        doubled = [each for each in doubled if each not in dropped]
        delayed = [each for each in delayed if each not in dropped]
        told = [(each, each.at + 1.7 * (each in delayed)) for each in sent if each not in dropped]
        told = sorted(told + [(each, each.at + 2.5) for each in doubled], key=lambda one: one[1])
        hearings[side] = [Hearing(each.what, at) for each, at in told]
        done[side] = (dropped, doubled, delayed)
    for side, told_of in compare(sent, hearings, period=PERIOD).items():
        dropped, doubled, delayed = done[side]
        assert list(told_of.missing) == dropped
        assert [each.what for each in told_of.extra] == [each.what for each in doubled]
        assert [each.sending for each in told_of.late] == delayed
