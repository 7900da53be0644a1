"""How often something may be done."""

import pytest

from chassis.rates import BURST, RateLimit


@pytest.fixture
def times() -> list[float]:
    """The clock: the last entry is what time it is."""
    return [1_000.0]


@pytest.fixture
def limit(times: list[float]) -> RateLimit:
    """Two a second."""
    return RateLimit(2, clock=lambda: times[-1])


def taken(limit: RateLimit, key: str) -> int:
    """How many there are to be had at once."""
    return next(number for number in range(10_000) if limit.take(key))


def test_who_was_quiet_may_do_as_much_at_once_as_was_saved_up(limit: RateLimit) -> None:
    assert taken(limit, "alice") == 2 * BURST


def test_then_it_is_so_many_a_second(limit: RateLimit, times: list[float]) -> None:
    """And who is refused is told how long to wait; being refused costs nothing."""
    taken(limit, "alice")
    for _ in range(5):
        assert [limit.take("alice") for _ in range(10)] == [1] * 10
        times.append(times[-1] + 1)
        assert [limit.take("alice") for _ in range(3)] == [0, 0, 1]


def test_a_slow_rate_says_how_long_to_wait(times: list[float]) -> None:
    limit = RateLimit(0.1, clock=lambda: times[-1])
    assert [limit.take("alice") for _ in range(7)] == [0] * 6 + [10]
    times.append(times[-1] + 9.5)
    assert limit.take("alice") == 1
    times.append(times[-1] + 0.5)
    assert limit.take("alice") == 0


def test_nobody_pays_for_somebody_else(limit: RateLimit) -> None:
    taken(limit, "alice")
    assert limit.take("bob") == 0


def test_who_keeps_still_is_forgotten(limit: RateLimit, times: list[float]) -> None:
    """What is kept does not grow with everybody who ever came."""
    for number in range(1_000):
        limit.take(f"user-{number}")
    times.append(times[-1] + 2 * BURST)
    limit.take("alice")
    assert len(limit) == 1


def test_a_rate_of_0_is_no_limit(times: list[float]) -> None:
    limit = RateLimit(0, clock=lambda: times[-1])
    assert not any(limit.take("alice") for _ in range(5_000))
    assert len(limit) == 0
