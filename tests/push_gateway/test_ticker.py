"""What happens by the clock. The clock is a list; the last entry is what time it is."""

import asyncio
import json

import pytest

from contracts import frames
from contracts.subjects import user_id
from devstack.waiting import until
from push_gateway.errors import Refusal, TokenRefused
from push_gateway.session import Session
from push_gateway.ticker import Ticker
from tests.push_gateway.clients import PATIENCE

HEARTBEAT = 25


class Device(Session):
    """A session that keeps what it is told, instead of writing it to a socket."""

    def __init__(self, expires_at: float, *, greeted: bool = True) -> None:
        self.user = user_id("alice")
        self.expires_at = expires_at
        self.position = 41
        self.greeted = greeted
        self.heard: list[object] = []
        self.ended_with: Refusal | None = None

    def write(self, frame: bytes) -> None:
        self.heard.append(json.loads(frame))

    def end(self, refusal: Refusal) -> None:
        assert self.ended_with is None or isinstance(refusal, TokenRefused)
        self.ended_with = refusal


@pytest.fixture
def times() -> list[float]:
    """The clock."""
    return [1_000.0]


@pytest.fixture
def ticker(times: list[float]) -> Ticker:
    """A ticker that goes by it."""
    return Ticker(
        heartbeat=HEARTBEAT, heartbeat_for=lambda session: frames.heartbeat(session.position), clock=lambda: times[-1]
    )


def test_a_heartbeat_comes_once_a_round_and_tells_the_position(ticker: Ticker) -> None:
    """The first one after a full round: `hello` was a sign of life too."""
    device = Device(9_999)
    ticker.add(device)
    for _ in range(HEARTBEAT - 1):
        ticker.tick()
    assert device.heard == []
    ticker.tick()
    assert device.heard == [{"event": "heartbeat", "seq": 41}]
    for _ in range(HEARTBEAT):
        ticker.tick()
    assert len(device.heard) == 2


def test_heartbeats_of_sockets_that_came_one_after_another_are_spread(ticker: Ticker) -> None:
    """No tick writes to all of them."""
    devices = []
    for _ in range(HEARTBEAT):
        devices.append(Device(9_999))
        ticker.add(devices[-1])
        ticker.tick()
    before = [len(device.heard) for device in devices]
    ticker.tick()
    assert sum(len(device.heard) for device in devices) - sum(before) == 1


def test_before_hello_there_is_no_heartbeat(ticker: Ticker) -> None:
    """It has no position yet, and `hello` is the first frame."""
    device = Device(9_999, greeted=False)
    ticker.add(device)
    for _ in range(2 * HEARTBEAT):
        ticker.tick()
    assert device.heard == []


def test_a_socket_that_was_removed_is_left_alone(ticker: Ticker, times: list[float]) -> None:
    """Neither heartbeats nor the end of its token reach it."""
    gone, there = Device(1_010), Device(1_010)
    ticker.add(gone)
    ticker.add(there)
    ticker.remove(gone)
    times.append(1_100.0)
    for _ in range(HEARTBEAT):
        ticker.tick()
    assert (gone.heard, gone.ended_with) == ([], None)
    assert there.ended_with is not None


@pytest.mark.parametrize(("now", "ended"), [(1_009.0, False), (1_010.0, False), (1_010.4, False), (1_011.0, True)])
def test_a_socket_ends_with_its_token_not_before(ticker: Ticker, times: list[float], now: float, ended: bool) -> None:
    """At the first whole second at which it is over."""
    device = Device(1_010.5)
    ticker.add(device)
    times.append(now)
    ticker.tick()
    assert (device.ended_with is not None) == ended
    if device.ended_with is not None:
        assert device.ended_with.code == 4401


def test_a_clock_that_jumps_forward_skips_nobody(ticker: Ticker, times: list[float]) -> None:
    """A machine may sleep; every second in between is looked at."""
    devices = [Device(1_000 + second) for second in (1, 500, 3_600)]
    for device in devices:
        ticker.add(device)
    times.append(10_000.0)
    ticker.tick()
    assert all(device.ended_with is not None for device in devices)


def test_a_clock_that_jumps_back_ends_nobody_and_forgets_nobody(ticker: Ticker, times: list[float]) -> None:
    """When the time has come again, the token ends."""
    device = Device(1_010)
    ticker.add(device)
    times.append(500.0)
    ticker.tick()
    assert device.ended_with is None
    times.append(1_011.0)
    ticker.tick()
    assert device.ended_with is not None


def test_a_token_that_was_renewed_lasts_as_long_as_the_new_one(ticker: Ticker, times: list[float]) -> None:
    """The second at which the old one would have ended passes; the new one ends too."""
    renewed, not_renewed = Device(1_010), Device(1_010)
    ticker.add(renewed)
    ticker.add(not_renewed)
    renewed.expires_at = 1_100
    times.append(1_050.0)
    ticker.tick()
    assert (renewed.ended_with, not_renewed.ended_with is not None) == (None, True)
    times.append(1_101.0)
    ticker.tick()
    assert renewed.ended_with is not None


def test_a_token_that_ends_sooner_than_the_one_before_ends_when_it_says(ticker: Ticker, times: list[float]) -> None:
    """The last token counts, not the longest one."""
    renewed, not_renewed = Device(1_100), Device(1_100)
    ticker.add(renewed)
    ticker.add(not_renewed)
    renewed.expires_at = 1_010
    ticker.renew(renewed)
    times.append(1_011.0)
    ticker.tick()
    assert (renewed.ended_with is not None, not_renewed.ended_with) == (True, None)
    ticker.remove(renewed)
    ticker.remove(not_renewed)
    assert ticker._due == {}  # noqa: SLF001


def test_a_token_that_is_over_already_ends_at_the_next_look(ticker: Ticker, times: list[float]) -> None:
    """Clocks may differ by the leeway with which it was accepted."""
    device = Device(998)
    ticker.add(device)
    times.append(1_001.0)
    ticker.tick()
    assert device.ended_with is not None


def test_a_socket_that_takes_its_time_to_close_can_still_be_removed(ticker: Ticker, times: list[float]) -> None:
    """It is told again at every look, until it is gone."""
    device = Device(1_001)
    ticker.add(device)
    for now in (1_002.0, 1_003.0, 1_004.0):
        times.append(now)
        ticker.tick()
    ticker.remove(device)
    assert ticker._due == {}  # noqa: SLF001


async def test_it_ticks_by_itself(times: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is cancelled."""
    monkeypatch.setattr("push_gateway.ticker.TICK", 0.001)
    ticker = Ticker(
        heartbeat=1, heartbeat_for=lambda session: frames.heartbeat(session.position), clock=lambda: times[-1]
    )
    device = Device(9_999)
    ticker.add(device)
    task = asyncio.create_task(ticker.run())
    assert await until(lambda: len(device.heard) >= 3, within=PATIENCE)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
