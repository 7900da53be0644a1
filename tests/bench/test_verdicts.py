"""What was asked of the gateway, and whether a run has reached it."""

import dataclasses

import pytest

from bench.job.rounds import AT_RATE, FLAT_OUT, Measured
from bench.job.verdicts import verdicts as of_job
from bench.job.work import PARTNERS_ANSWER
from bench.push.accounting import Cpu, Memory
from bench.push.rows import Results, Row
from bench.push.verdicts import verdicts


def flat(contender: str, us: float, devices: int = 1) -> Row:
    """1,000 frames in half a second at so many microseconds each."""
    return Row(contender, 1, devices, 500, "flat", count=1000, seconds=0.5, cpu=Cpu(us / 1000, 0, 0))


def results(*rows: Row) -> Results:
    return Results("make bench", machine={}, what={row.contender: "" for row in rows}, rows=list(rows))


def said(asked: str, *rows: Row) -> tuple[str, str]:
    """What is said of the first thing that begins so."""
    return next((found, reached) for what, found, reached in verdicts(results(*rows)) if what.startswith(asked))


@pytest.mark.parametrize(("ours", "reached"), [(20.0, "yes"), (23.0, "no")])
def test_who_is_dearer_than_a_peer_anywhere_has_not_reached_it(ours: float, reached: str) -> None:
    """The worst cell is named, and in how many of them it holds."""
    rows = [flat("tandem", 10), flat("nchan", 20), flat("tandem", ours, 10), flat("nchan", 20, 10)]
    found = said("CPU a delivered event", *rows)
    assert found[1] == reached
    assert found[0].startswith(f"{ours / 20:.2f} times nchan's at 500 / 10")
    assert f"; {1 + (reached == 'yes')} of 2 hold" in found[0]


def test_the_floor_and_the_old_design_have_measures_of_their_own() -> None:
    """They are no peers: one does nothing else, and the other is what is replaced."""
    rows = [flat("tandem", 10), flat("floor", 5), flat("channels_uvicorn", 150)]
    assert said("at most 1.5 times the floor's", *rows) == (
        "2.00 times floor's at 500 / 1, the worst; 0 of 1 hold",
        "no",
    )
    assert said("at least 20 times less", *rows) == ("15 times less than channels_uvicorn's at 500 / 1", "no")


def test_memory_is_judged_at_the_most_sockets() -> None:
    """Where it matters."""
    few = Row("tandem", 1, 1, 500, "idle", count=500, memory=Memory(500 * 20 * 1024, 0, 0))
    many = Row("tandem", 1, 1, 1000, "idle", count=1000, memory=Memory(1000 * 9 * 1024, 0, 0))
    assert said("an idle socket", few, many) == ("9.0 KiB at 1,000 / 1", "yes")


@pytest.mark.parametrize(("theirs", "reached"), [(900, "yes"), (1800, "no")])
def test_accepting_is_judged_by_the_quickest_peer(theirs: int, reached: str) -> None:
    """In sockets a second."""
    rows = [
        Row(name, 1, 1, 500, "open", count=count, seconds=1) for name, count in (("tandem", 900), ("nchan", theirs))
    ]
    assert said("accepting", *rows)[1] == reached


def test_latency_is_judged_at_half_of_what_saturates() -> None:
    """At the highest rate that was tried and is not above it; whoever is better is named."""
    saturated = [flat("tandem", 10), flat("peer", 10)]  # at 2,000 a second

    def steady(contender: str, rate: float, p99: float) -> Row:
        return Row(contender, 1, 1, 500, "steady", rate=rate, count=1000, seconds=1000 / rate, ms={"p99": p99})

    rows = [steady("tandem", 1000, 5), steady("peer", 1000, 4), steady("tandem", 2000, 9), steady("peer", 2000, 1)]
    assert said("latency", *saturated, *rows) == ("5.0 ms at 1,000 frames a second; peer 4.0", "no")


@pytest.mark.parametrize(("busiest", "reached"), [(0.55, "yes"), (0.6, "no")])
def test_two_processes_are_judged_by_the_busier_one(busiest: float, reached: str) -> None:
    """It is full first."""
    rows = [
        Row("tandem", 1, 1, 500, "processes", count=1000, seconds=1, processes=processes, busiest=cpu)
        for processes, cpu in ((1, 1.0), (2, busiest))
    ]
    assert said("two gateway processes", *rows) == (f"{1 / busiest:.2f} times with 1 a user", reached)


def test_what_was_not_measured_is_not_said_to_be_reached() -> None:
    """Of what stands in every page."""
    assert said("at most 1.5 times the floor's", flat("tandem", 10)) == ("not compared", "no")


def test_who_is_disqualified_is_not_compared_with() -> None:
    """To lose frames is cheap."""
    wrong = flat("channels_uvicorn", 15)
    lost = dataclasses.replace(wrong, wrong={"lost": 3})
    assert said("at least 20 times less", flat("tandem", 10), wrong)[1] == "no"
    with pytest.raises(StopIteration):
        said("at least 20 times less", flat("tandem", 10), lost)


def answers(system: str, ms: float, p99: float) -> list[Measured]:
    """A round of ten answers, each so many milliseconds of CPU and, for one in a hundred, seconds to the partner."""
    cpu = {"service": 0.006 * ms, "database": 0.004 * ms}
    times = {PARTNERS_ANSWER: (p99 / 2, p99)}
    return [Measured(system, part, 10, 1.0, cpu, times) for part in (FLAT_OUT, AT_RATE)]


@pytest.mark.parametrize(("theirs", "reached"), [(50.0, "yes"), (49.9, "no")])
def test_an_answer_is_compared_with_the_cheapest_of_the_old_design(theirs: float, reached: str) -> None:
    """In CPU, whoever's it is."""
    measured = [*answers("tandem", 10, 0.1), *answers("django-a", theirs, 0.5), *answers("django-b", 60, 0.5)]
    [cpu, latency] = of_job(measured)
    assert cpu[1:] == (f"{theirs / 10:.2f} times django-a's", reached)
    assert latency[1:] == ("100 ms; django-a 500", "yes")


def test_a_partner_who_waits_for_more_than_a_fifth_is_said_to() -> None:
    """In the old design's quickest form."""
    measured = [*answers("tandem", 10, 0.1), *answers("django-a", 50, 0.5), *answers("django-b", 60, 0.4)]
    assert list(of_job(measured))[1][1:] == ("100 ms; django-b 400", "no")


def test_of_a_job_that_was_compared_with_nothing_nothing_is_said() -> None:
    """Neither yes nor no."""
    assert list(of_job(answers("tandem", 10, 0.1))) == []
