"""Owns the command line: `python -m bench.faults [--rows kill-nats,... | --selection] [--rounds n]`, with SEED= for
other moments."""

import argparse
import asyncio
import os
import random
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.faults.matrix import RATE, Result, run_row
from bench.faults.rows import ROWS, SELECTION
from bench.faults.scene import Row
from bench.faults.stack import Stack

SEED = "1"

COMPLAINTS_SHOWN = 10
"""Of each row; the counts are in the table."""

BROKE_OFF = "broke off; see above"

Outcome = Result | tuple[str, str]
"""A row's figures; or of a row that did not run, or not to its end, the name and why."""

COLUMNS = (
    "fault", "injections", "acked", "refused", "delivered", "lost", "doubled", "disordered", "foreign", "stale",
    "told", "worst repair",
)  # fmt: skip


def table(results: Sequence[Outcome]) -> str:
    """The matrix as a Markdown table; a row that did not run says why."""
    lines = [_line(COLUMNS), _line(["---", *["---:"] * (len(COLUMNS) - 1)])]
    for result in results:
        if isinstance(result, Result):
            verdict = result.verdict
            kinds = (verdict.lost, verdict.doubled, verdict.disordered, verdict.foreign, verdict.stale)
            counts = [
                result.injections,
                result.acked,
                result.refused,
                verdict.delivered,
                *map(len, kinds),
                verdict.told,
            ]
            lines.append(_line([result.row, *map(str, counts), f"{result.repair:.1f} s"]))
        else:
            lines.append(_line([result[0], f"not run: {result[1]}", *[""] * (len(COLUMNS) - 2)]))
    ran = [result for result in results if isinstance(result, Result)]
    injections, acked = sum(result.injections for result in ran), sum(result.acked for result in ran)
    return "\n".join(lines) + f"\n\n{injections} injections, {acked} acked changes."


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


async def run_matrix(
    rows: Sequence[Row], *, seed: str, rounds: int | None, log: Path, rate: float = RATE
) -> list[Outcome]:
    """Run the rows, kind by kind of the system that they break; returns what became of each."""
    outcomes: list[Outcome] = []
    possible: list[Row] = []
    for row in rows:
        if (reason := row.refusal()) is None:
            possible.append(row)
        else:
            outcomes.append((row.name, reason))
    for kind in dict.fromkeys(row.kind for row in possible):
        waiting = [row for row in possible if row.kind == kind]
        try:
            async with Stack.running(log, kind) as stack:
                while waiting:
                    await stack.whole()
                    outcomes.append(await _outcome(stack, waiting[0], seed=seed, rounds=rounds, rate=rate))
                    del waiting[0]
        except Exception:  # noqa: BLE001 - what was seen until then is worth knowing too
            traceback.print_exc()
            outcomes += [(row.name, BROKE_OFF) for row in waiting]
    return outcomes


def failed(outcome: Outcome) -> bool:
    """Whether a row ran and did not come out as it should."""
    if isinstance(outcome, Result):
        return bool(outcome.verdict.complaints) or outcome.told_for_nothing
    return outcome[1] == BROKE_OFF


async def _outcome(stack: Stack, row: Row, *, seed: str, rounds: int | None, rate: float) -> Outcome:
    """Run a row on a system that has survived those before it; its figures, or that it came to nothing."""
    try:
        result = await run_row(stack, row, seed=f"{seed} {row.name}", rounds=rounds, rate=rate)
    except Exception:  # noqa: BLE001 - the other rows are worth knowing too
        traceback.print_exc()
        return row.name, BROKE_OFF
    complaints = result.verdict.complaints
    print(f"{row.name}: {len(complaints)} complaints, {result.verdict.delivered} delivered", flush=True)
    if result.told_for_nothing:
        print(f"  {result.verdict.told} events were left to fetching the state anew", flush=True)
    for complaint in complaints[:COMPLAINTS_SHOWN]:
        print(f"  {complaint}", flush=True)
    return result


def seed_of_run() -> str:
    """What SEED= asks for; the same one each time if it does not."""
    seed = os.environ.get("SEED") or SEED
    return str(random.randrange(10**9)) if seed == "random" else seed  # noqa: S311 - not a secret


def main() -> int:
    """Do what the arguments say; returns the exit code."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description="The fault matrix.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--rows", help=f"which of {', '.join(names)}; if not given, all")
    which.add_argument("--selection", action="store_true", help=f"{', '.join(SELECTION)}, once each: about a minute")
    parser.add_argument("--rounds", type=int, help="injections a row; what each row thinks right if not given")
    parser.add_argument("--log", type=Path, default=Path("/tmp/tandem-faults.log"), help="what the processes print")  # noqa: S108
    arguments = parser.parse_args()
    wanted = list(SELECTION) if arguments.selection else arguments.rows.split(",") if arguments.rows else names
    rounds = arguments.rounds or (1 if arguments.selection else None)
    if unknown := set(wanted) - set(names):
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    seed = seed_of_run()
    print(
        f"seed {seed} (SEED=... for another, SEED=random for any); the processes print to {arguments.log}", flush=True
    )
    rows = [row for row in ROWS if row.name in wanted]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcomes = runner.run(run_matrix(rows, seed=seed, rounds=rounds, log=arguments.log))
    print(f"\nseed {seed}\n\n{table(outcomes)}")
    return int(any(failed(outcome) for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
