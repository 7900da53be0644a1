"""What grows is measured on the real servers, and what is reckoned from it is arithmetic that can be done by hand."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bench.push.accounting import Cpu, Memory
from bench.push.rows import Results as Pushed
from bench.push.rows import Row as PushedRow
from bench.scale import report
from bench.scale.__main__ import arguments
from bench.scale.broker import Broker, broker
from bench.scale.changes import changes
from bench.scale.measured import Bus, Gateway
from bench.scale.plan import Plan
from bench.scale.reckoning import Assumed, Load, Reckoning, lines
from bench.scale.routes import routes
from bench.scale.rows import Results, Row
from bench.scale.subjects import subjects
from bench.scale.subscriptions import Listener, delivered, listening, subscriptions
from devstack.errors import StackError

TINY = Plan(rounds=1, sizes=(20, 60), events=40, backlogs=(30,))

BUS = Bus(
    subjects=1_000, subscriptions=500, rate=10_000, event_bytes=1024, subject_bytes=1024, subscription_bytes=2048,
    route_bytes=4096, route_us=10, between_us=0.5,
)  # fmt: skip
GATEWAY = Gateway(sockets=400, delivered_us=100, opened_us=3_000, kib=8)
LOAD = Load(users=1_000, events=7_200)
ASSUMED = Assumed(sockets=2, busiest=0.5, used=0.5, back_within=10, replicas=3, away_ms=1_000, a_change=2)

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="the load generator needs a C compiler")


def reckoned(*, load: Load = LOAD, gateway: Gateway | None = GATEWAY) -> Reckoning:
    """From round figures."""
    return Reckoning(load, BUS, gateway, 100.0, ASSUMED)


@pytest.mark.parametrize(
    ("of", "figure"),
    [
        (lambda need: need.sockets, 2_000),  # 1,000 users x 2
        (lambda need: need.events, 1_000),  # 7,200,000 a day, half of them in 3,600 s
        (lambda need: need.frames, 2_000),
        (lambda need: need.gateways_for_frames, 1),  # 0.2 s of CPU a second, half of a core
        (lambda need: need.gateways_for_return, 2),  # 6 s of CPU in 10 s, half of a core
        (lambda need: need.gateways_for_sockets, 5),  # 2,000 by 400
        (lambda need: need.gateways, 5),
        (lambda need: need.gateway_memory * 1024, 15.625),  # MiB
        (lambda need: need.interest_memory * 1024, 7.8125),
        (lambda need: need.interest_seconds, 0.02),
        (lambda need: need.shards_for_interest, 4),  # 2,000 by 500
        (lambda need: need.shards_for_subjects, 2),  # 1,000 x 2 sources by 1,000
        (lambda need: need.shards_for_events, 1),  # 1,000 by half of 10,000
        (lambda need: need.shards_for_return, 4),  # 7,200,000 x 0.5 us by 1 s
        (lambda need: need.shards, 4),
        (lambda need: need.server_memory * 1024, 1.46484375),  # 2,000 KiB of subjects and 4,000 of interest, by 4
        (lambda need: need.disk * 1024, 144.2),  # GiB of 7 days x 3
        (lambda need: need.changes, 500),
        (lambda need: need.databases, 10),  # by half of 100
    ],
)
def test_what_a_load_needs_follows_by_hand(of: Callable[[Reckoning], float], figure: float) -> None:
    """From figures that are easy to reckon with."""
    assert of(reckoned()) == pytest.approx(figure, rel=1e-3)


def test_more_users_never_need_less() -> None:
    """Of anything."""
    few, many = reckoned(), reckoned(load=Load(10 * LOAD.users, LOAD.events))
    for line in lines([few, many], ASSUMED):
        small, great = line.figures
        assert small is not None
        assert great is not None
        assert small <= great, line.name


def test_without_a_run_of_the_gateway_only_what_needs_it_is_missing() -> None:
    """It is not taken for nothing."""
    missing = [line.name for line in lines([reckoned(gateway=None)], ASSUMED) if line.figures == [None]]
    assert missing == [
        "gateways, for frames", "gateways, to come back", "gateways, by sockets", "**gateway processes**",
        "their memory, GiB",
    ]  # fmt: skip


def results(*, grows: float = 2.0, few: float = 1.0) -> Results:
    """Three rounds at two sizes; at the second an event costs so much more, one to the few so much."""
    rows = []
    for number, noise in enumerate((0.0, -1.0, 1.0), start=1):
        for size, by, by_few in ((1_000, 1.0, 1.0), (10_000, grows, few)):
            figures = {"all": 20 * by + noise, "few": 20 * by_few + noise, "rate": 5_000.0, "memory": size * 100.0}
            more = {"alone": size / 10, "alone_ms": 1.0, "turn": 4.0, "stored": 500.0}
            rows.append(Row("subjects", size, number, figures | more))
            rows.append(Row("subscriptions", size, number, figures | {"subscribe": 3.0}))
            rows.append(Row("routes", size, number, {"memory": size * 50.0, "subscribe": 4.0}))
        rows.append(Row("changes", 500, number, {"rate": 1_000.0, "relay": 100.0, "postgres": 30.0, "nats": 60.0}))
    return Results("make scale", {"processor": "2 cores"}, rows)


def test_what_one_more_costs_is_the_slope_between_the_two_greatest_sizes() -> None:
    """What the server has at any size is in neither."""
    bus = Bus.of(results())
    assert (bus.subjects, bus.subscriptions) == (10_000, 10_000)
    assert bus.subject_bytes == pytest.approx(100)
    assert bus.route_bytes == pytest.approx(50)
    assert bus.between_us == pytest.approx(0.1)


def test_the_bend_says_what_of_it_is_the_sizes_own() -> None:
    """What an event to the same few costs more at the greater size, by what one to anybody does."""
    said = report.bend(results(grows=2.0, few=1.5), "subjects")
    assert "From 1,000 to 10,000 an event to any of them costs 2.00 times as much" in said
    assert "50% of the growth is there for those few too" in said


def test_what_is_the_same_for_the_few_is_all_the_sizes_own() -> None:
    """And nothing is left to blame a cache for."""
    assert report.bend(results(grows=2.0, few=2.1), "subjects").endswith("the growth is the size's own.")


def test_what_is_within_the_rounds_is_no_bend() -> None:
    """The rounds at the first size differ by more."""
    assert "no bend was seen" in report.bend(results(grows=1.01), "subjects")


def test_a_median_stands_with_its_spread() -> None:
    """Over the rounds."""
    assert "| 1,000 | 20.0 (19.0 to 21.0) | 20.0 (19.0 to 21.0) | 5,000" in report.measured(results(), [])


def test_only_what_stands_between_the_marks_is_written_anew(tmp_path: Path) -> None:
    """And the pictures that it shows stand beside it."""
    page = tmp_path / "PAGE.md"
    page.write_text(f"by hand\n\n{report.BEGIN}\n\nyesterday\n\n{report.END}\n\nby hand too\n")
    written = report.write(results(), [], page=page, into=tmp_path / "there").read_text()
    assert written.startswith("by hand\n\n")
    assert written.endswith(f"{report.END}\n\nby hand too\n")
    assert "yesterday" not in written
    for picture in (line.split("](")[1].rstrip(")") for line in written.splitlines() if line.startswith("![")):
        assert (tmp_path / "there" / picture).is_file()


def test_the_page_itself_has_the_marks() -> None:
    """Or a run of some minutes would end in a complaint."""
    report.inserted((Path(__file__).parents[2] / "docs" / "SCALING.md").read_text(), "new")


def test_a_page_without_the_marks_is_refused() -> None:
    """With what it must have."""
    with pytest.raises(StackError, match="make scale"):
        report.inserted("by hand only", "new")


def test_the_gateways_figures_are_those_that_the_benchmark_has_saved(tmp_path: Path) -> None:
    """One for each number of sockets, of Tandem with one socket a user."""
    pushed = Pushed("make bench", {}, rows=[
        PushedRow("tandem", 1, devices, 500, what, count=500, cpu=Cpu(0.01, 0, 0), memory=Memory(500 * 2048, 0, 0))
        for devices in (1, 10) for what in ("open", "idle", "flat")
    ])  # fmt: skip
    pushed.save(tmp_path / "push.json")
    [found] = Gateway.all_of(tmp_path / "push.json")
    assert (found.sockets, found.kib) == (500, 2)
    assert (found.delivered_us, found.opened_us) == pytest.approx((20, 20))
    assert Gateway.all_of(tmp_path / "nothing.json") == []


def test_a_saved_run_is_read_again_as_it_was(tmp_path: Path) -> None:
    """For another page without measuring again."""
    results().save(tmp_path / "scale.json")
    assert Results.load(tmp_path / "scale.json") == results()


@pytest.mark.parametrize(
    ("told", "complaint"), [(["--rounds", "0"], "1 or more"), (["--again", "nowhere.json"], "there is no nowhere.json")]
)
def test_what_cannot_be_done_is_said_before_anything_is_measured(
    told: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 2, as argparse has it."""
    monkeypatch.setattr("sys.argv", ["make scale", *told])
    with pytest.raises(SystemExit) as ended:
        arguments()
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_message_is_counted_once_wherever_it_is_cut(cut: int) -> None:
    """As the network may cut it."""
    text = b"\r\nHMSG push.alice.inbox 1 2 2\r\n\r\n" * 3
    listener = Listener()
    for start in range(0, len(text), cut):
        listener.data_received(text[start : start + cut])
    assert listener.heard == 3


@pytest.fixture
async def server() -> AsyncIterator[Broker]:
    """An empty one."""
    async with broker() as running:
        yield running


@needs_cc
async def test_an_event_that_does_not_arrive_ends_the_run(server: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of making nats-server look cheap."""
    monkeypatch.setattr("bench.scale.subscriptions.ARRIVING", 0.2)
    async with listening(server.stream.nats.port) as listener:
        await listener.subscribe(range(5))
        await delivered(server, listener, 5, 40)
        with pytest.raises(StackError, match="of 50 events that are subscribed to, 25 arrived"):
            await delivered(server, listener, 10, 40)


@needs_cc
@pytest.mark.parametrize(("measurement", "sizes"), [
    (subjects, TINY.sizes), (subscriptions, TINY.sizes), (routes, TINY.sizes), (changes, TINY.backlogs)
])  # fmt: skip
async def test_every_figure_that_the_page_shows_is_measured(
    measurement: Callable[[Plan, int], AsyncIterator[Row]], sizes: tuple[int, ...]
) -> None:
    """At each size, on the real servers, and what costs CPU has cost some.

    But for PostgreSQL's: what a backend has used that ends meanwhile is counted in whole hundredths of a second from
    then on, and so few changes cost less than that.
    """
    async with asyncio.timeout(120):
        rows = [row async for row in measurement(TINY, 1)]
    assert tuple(row.size for row in rows) == sizes
    shown = {
        "subjects": (*report.SUBJECTS, *report.RETURN), "subscriptions": report.SUBSCRIPTIONS, "routes": report.ROUTES,
        "changes": report.CHANGES,
    }  # fmt: skip
    for row in rows:
        wanted = {name for _, name, *_ in shown[row.what]}
        assert wanted <= row.figures.keys()
        assert all(row.figures[name] > 0 for name in wanted - {"memory", "postgres"})
