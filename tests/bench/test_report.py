"""The page says what was measured, and leaves nobody and nothing out."""

from pathlib import Path

import pytest

from bench.push import figures, report
from bench.push.accepting import GREETING, HANDSHAKE, QUESTION, SUBSCRIPTION, TOKEN
from bench.push.accounting import Cpu, Memory
from bench.push.report import LEFT
from bench.push.rows import Results, Row


def flat(contender: str, number: int, us: float, **wrong: int) -> Row:
    """1,000 frames at so many microseconds each."""
    cpu = Cpu(us / 1000, 0.001, 0)
    return Row(contender, number, 1, 500, "flat", count=1000, seconds=0.5, cpu=cpu, generator=0.001, wrong=wrong)


@pytest.fixture
def results() -> Results:
    """Three rounds of two contenders, one of which has lost something; a third is absent."""
    rows = [flat("tandem", number, us) for number, us in enumerate((12.0, 10.0, 11.0), start=1)]
    rows += [flat("peer", number, 22.0, lost=lost) for number, lost in enumerate((0, 2, 1), start=1)]
    rows += [
        Row("tandem", 1, 1, 500, "idle", count=500, memory=Memory(500 * 10 * 1024, 0, 0)),
        Row("tandem", 1, 1, 500, "steady", rate=1000, count=1000, seconds=1, ms={"p50": 1.5, "p99": 3.25}),
    ]
    names = {"tandem": "a gateway", "peer": "another"}
    return Results(
        "make bench",
        machine={"processor": "2 cores"},
        what=names,
        versions=dict.fromkeys(names, "1.0"),
        absent={"third": "no cc"},
        rows=rows,
    )


def line(page: str, heading: str, contender: str) -> str:
    """A contender's line in the first table behind a heading."""
    part = page.split(heading)[1]
    return next(line for line in part.splitlines() if line.startswith(f"| {contender} |"))


def test_the_median_stands_with_its_spread(results: Results) -> None:
    """Over the rounds."""
    assert "| 11.0 (10.0 to 12.0) |" in line(report.text(results), "## CPU a delivered event", "tandem")


def test_who_loses_a_frame_is_disqualified_with_the_count(results: Results) -> None:
    """Instead of its figure, and in the list of the contenders."""
    page = report.text(results)
    assert "| disqualified: 3 lost |" in line(page, "## CPU a delivered event", "peer")
    assert "**disqualified**: 3 lost" in line(page, "# Performance", "peer")


def test_what_is_left_of_accepting_is_what_no_step_took(results: Results) -> None:
    """Without the questions, of which many clients share one."""
    steps = {HANDSHAKE: 100, TOKEN: 50, SUBSCRIPTION: 40, GREETING: 10, QUESTION: 200}
    opened = Row("tandem", 1, 1, 500, "open", count=500, seconds=1, cpu=Cpu(500 * 600e-6, 0, 0))
    results.rows += [
        opened,
        *(Row("tandem", 1, 1, 0, "step", count=1, cpu=Cpu(us / 1e6, 0, 0), step=name) for name, us in steps.items()),
    ]
    page = report.text(results)
    assert line(page, "## Accepting sockets", TOKEN) == f"| {TOKEN} | 50 |"
    assert line(page, "## Accepting sockets", LEFT) == f"| {LEFT} | 400 |"
    assert figures.cells(results) == [(1, 500)]


def test_who_loses_nothing_is_not_disqualified(results: Results) -> None:
    """And is said to have done its work."""
    assert "every frame, once and in order" in line(report.text(results), "# Performance", "tandem")


def test_who_is_absent_is_named_with_the_reason(results: Results) -> None:
    """Silence would look as if nobody had thought of it."""
    assert line(report.text(results), "# Performance", "third").endswith("| no cc |")


def test_who_failed_is_named_with_the_reason(results: Results) -> None:
    """With the number of sockets that it did not get beyond."""
    results.rows.append(Row("tandem", 2, 1, 18_000, "failed", failure="it fell over"))
    assert "failed at 18,000 sockets: it fell over" in line(report.text(results), "# Performance", "tandem")


def test_the_whole_job_stands_at_the_end(results: Results) -> None:
    """If it was measured; otherwise nothing is said of it."""
    assert "The whole job" not in report.text(results)
    results.job = "| POST | 3 ms |"
    assert report.text(results).endswith("## The whole job\n\n| POST | 3 ms |\n")


def test_a_saved_run_gives_the_same_page(results: Results, tmp_path: Path) -> None:
    """So the page can be written again without measuring again."""
    results.save(tmp_path / "results.json")
    assert report.text(Results.load(tmp_path / "results.json")) == report.text(results)


def test_all_pictures_that_the_page_shows_are_written(results: Results, tmp_path: Path) -> None:
    """Beside it, as SVG."""
    page = report.write(results, tmp_path).read_text()
    shown = {part.split(")")[0] for part in page.split("](images/")[1:]}
    assert shown == {file.name for file in (tmp_path / "images").iterdir()}
    assert all((tmp_path / "images" / name).read_text().startswith("<svg") for name in shown)


def test_what_was_not_reached_has_its_reason_and_what_was_reached_none(results: Results) -> None:
    """Also where nobody knows it."""
    results.of_job = [
        ("the whole job: at least 5 times", "4 times", "no"),
        ("the whole job: 99th percentile", "1 ms", "yes"),
        ("what nobody has thought of", "1", "no"),
    ]
    reasons = report.text(results).split("Why not, where it was not reached:")[1].split("## ")[0]
    assert report.WHY["the whole job: at least"] in reasons
    assert report.WHY["the whole job: 99th percentile"] not in reasons
    assert "- *what nobody has thought of*: unknown." in reasons
