"""How the fault matrix measures the time of a repair."""

import pytest

from bench.faults.repair import owed_since

OUTAGES = [(10.0, 12.0), (20.0, 25.0)]


@pytest.mark.parametrize(
    ("captured", "arrived", "since"),
    [
        (5.0, 5.1, 5.0),
        (11.0, 11.5, 11.0),
        (11.0, 13.0, 12.0),
        (9.9, 13.0, 12.0),
        (9.9, 26.0, 25.0),
        (13.0, 19.0, 13.0),
        (21.0, 30.0, 25.0),
    ],
)
def test_an_event_is_due_when_it_was_captured_or_the_last_outage_before_its_arrival_ended(
    captured: float, arrived: float, since: float
) -> None:
    """What arrives during an outage was due when it was captured."""
    assert owed_since(captured, arrived, OUTAGES) == since
