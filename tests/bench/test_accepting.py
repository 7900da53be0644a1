"""What it costs to let a client in is taken apart on the real parts."""

from bench.push.accepting import STEPS, measure
from bench.push.contender import cores
from bench.push.figures import us


async def test_each_step_is_taken_for_each_client_in_each_round() -> None:
    """And each costs something."""
    rows = await measure(2, cores()[0], clients=20)
    assert [(row.round, row.step) for row in rows] == [(number, step) for number in (1, 2) for step in STEPS]
    assert all(row.count == 20 and us(row) > 1 for row in rows)
