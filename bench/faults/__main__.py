"""Owns the command line: `python -m bench.faults [--rows kill-nats,...] [--rounds n]`, with SEED= for other moments."""

import argparse
import asyncio
import os
import random
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.faults.matrix import Result, run_row
from bench.faults.rows import ROWS
from bench.faults.scene import Row
from bench.faults.stack import Stack

SEED = "1"

COMPLAINTS_SHOWN = 10
"""Of each row; the counts are in the table."""

COLUMNS = (
    "fault", "injections", "acked", "refused", "delivered", "lost", "doubled", "disordered", "foreign", "stale",
    "told", "worst repair",
)  # fmt: skip


def table(results: Sequence[Result | tuple[str, str]]) -> str:
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


async def run_matrix(rows: Sequence[Row], *, seed: str, rounds: int | None, log: Path) -> int:
    """Run the rows, each on a system that has survived those before it; returns the exit code."""
    results: list[Result | tuple[str, str]] = []
    failed = False
    async with Stack.running(log) as stack:
        for row in rows:
            if (reason := row.refusal()) is not None:
                results.append((row.name, reason))
                continue
            try:
                result = await run_row(stack, row, seed=f"{seed} {row.name}", rounds=rounds)
            except Exception:  # noqa: BLE001 - the other rows are worth knowing too
                failed = True
                traceback.print_exc()
                results.append((row.name, "broke off; see above"))
                await stack.whole()
                continue
            results.append(result)
            failed |= bool(result.verdict.complaints)
            verdict = result.verdict
            print(f"{row.name}: {len(verdict.complaints)} complaints, {verdict.delivered} delivered", flush=True)
            for complaint in verdict.complaints[:COMPLAINTS_SHOWN]:
                print(f"  {complaint}", flush=True)
    print(f"\nseed {seed}\n\n{table(results)}")
    return int(failed)


def main() -> int:
    """Do what the arguments say."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description="The fault matrix.")
    parser.add_argument("--rows", help=f"which of {', '.join(names)}; if not given, all")
    parser.add_argument("--rounds", type=int, help="injections a row; what each row thinks right if not given")
    parser.add_argument("--log", type=Path, default=Path("/tmp/tandem-faults.log"), help="what the processes print")  # noqa: S108
    arguments = parser.parse_args()
    wanted = arguments.rows.split(",") if arguments.rows else names
    if unknown := set(wanted) - set(names):
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    seed = os.environ.get("SEED") or SEED
    if seed == "random":
        seed = str(random.randrange(10**9))  # noqa: S311 - not a secret
    print(
        f"seed {seed} (SEED=... for another, SEED=random for any); the processes print to {arguments.log}", flush=True
    )
    rows = [row for row in ROWS if row.name in wanted]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_matrix(rows, seed=seed, rounds=arguments.rounds, log=arguments.log))


if __name__ == "__main__":
    sys.exit(main())
