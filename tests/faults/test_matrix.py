"""A minute of the fault matrix: the whole system, broken under load in the few ways that tell the most."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bench.faults.__main__ import BROKE_OFF, Outcome, run_matrix, seed_of_run, table
from bench.faults.matrix import Result
from bench.faults.rows import ROWS, SELECTION

pytestmark = pytest.mark.long

RATE, DEVICES, PAIRS = 25.0, 30, 10
"""Writes a second, and those who hear of them: half of what `make faults` has. This is run beside other tests."""


@pytest.fixture(scope="module")
async def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome]:
    """What became of each row of the selection, one after another on one system; SEED= for other moments."""
    seed = seed_of_run()
    log = tmp_path_factory.mktemp("faults") / "processes.log"
    print(f"seed {seed}; the processes print to {log}")
    rows = [replace(row, devices=DEVICES, pairs=PAIRS) for row in ROWS if row.name in SELECTION]
    found = await run_matrix(rows, seed=seed, rounds=1, log=log, rate=RATE)
    print(f"\n{table(found)}")
    return {outcome.row if isinstance(outcome, Result) else outcome[0]: outcome for outcome in found}


@pytest.mark.parametrize("name", SELECTION)
async def test_nothing_is_lost_doubled_disordered_or_misaddressed(name: str, outcomes: Mapping[str, Outcome]) -> None:
    """A row that cannot be run on this machine is skipped with its reason; one that broke off has failed."""
    outcome = outcomes[name]
    print(table([outcome]))
    if not isinstance(outcome, Result):
        _, reason = outcome
        assert reason != BROKE_OFF
        pytest.skip(f"{name}: {reason}")
    assert not outcome.verdict.complaints
    assert not outcome.told_for_nothing
    assert outcome.injections == 1
    assert outcome.verdict.delivered, "whoever is told nothing has nothing to complain of"
