"""What the fault matrix prints."""

import pytest

from bench.faults.__main__ import failed, table
from bench.faults.checker import Verdict
from bench.faults.matrix import Result
from bench.faults.rows import ROWS

VERDICT = Verdict(lost=["a", "b"], doubled=["c"], disordered=[], foreign=[], stale=[], delivered=90, told=7)


def test_each_row_has_its_figures_and_what_did_not_run_counts_for_nothing() -> None:
    """It says why instead."""
    _, _, ran, not_run, _, summary = table(
        [Result("kill-nats", 3, 50, 4, VERDICT, 1.25), ("vanishes", "TCP_REPAIR: Operation not permitted")]
    ).splitlines()
    assert ran == "| kill-nats | 3 | 50 | 4 | 90 | 2 | 1 | 0 | 0 | 0 | 7 | 1.2 s |"
    assert not_run.startswith("| vanishes | not run: TCP_REPAIR: Operation not permitted |")
    assert summary == "3 injections, 50 acked changes."


@pytest.mark.parametrize("kind", ["lost", "doubled", "disordered", "foreign", "stale"])
def test_every_kind_of_complaint_fails_a_run(kind: str) -> None:
    """None is only printed."""
    kinds = dict.fromkeys(["lost", "doubled", "disordered", "foreign", "stale"], ())
    verdict = Verdict(**{**kinds, kind: ["something"]}, delivered=1, told=0)
    assert verdict.complaints == ["something"]


def test_no_two_rows_have_the_same_name() -> None:
    """They are asked for by name."""
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_who_is_told_to_fetch_their_state_for_nothing_fails_a_run() -> None:
    """A relay that marks too early hides behind it. Where it is meant to happen there may be nothing to be told."""
    clean = Verdict([], [], [], [], [], delivered=90, told=0)
    told = Verdict([], [], [], [], [], delivered=90, told=7)
    outcomes = [failed(Result("", 1, 1, 0, verdict, 1.0, anew)) for verdict in (clean, told) for anew in (False, True)]
    assert outcomes == [False, False, True, False]
