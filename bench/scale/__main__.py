"""Owns the command line: `make scale` measures how costs grow, and writes the measured part of docs/SCALING.md."""

import argparse
import asyncio
import shlex
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import uvloop

from bench.push.__main__ import PART, out_of_the_way
from bench.push.__main__ import SAVED as PUSHED
from bench.push.compiled import ROOT
from bench.push.machine import machine, stolen
from bench.scale import report
from bench.scale.changes import changes
from bench.scale.measured import Gateway
from bench.scale.plan import QUICK, ROUNDS, Plan
from bench.scale.routes import routes
from bench.scale.rows import Results, Row
from bench.scale.subjects import subjects
from bench.scale.subscriptions import subscriptions
from chassis import logs
from chassis.settings import LogSettings
from devstack.errors import StackError

PAGE: Final = ROOT / "docs" / "SCALING.md"

SAVED: Final = "scale.json"

MEASUREMENTS: Final[tuple[Callable[[Plan, int], AsyncIterator[Row]], ...]] = (subjects, subscriptions, routes, changes)
"""In the order in which a round takes them; each starts servers of its own and stops them again."""


async def measure(plan: Plan, results: Results) -> None:
    """Take all rounds; `results` is complete up to the last size that was measured."""
    began, steal = time.monotonic(), stolen()
    for number in range(1, plan.rounds + 1):
        for measurement in MEASUREMENTS:
            at = time.monotonic()
            async for row in measurement(plan, number):
                print(f"round {number}, {row.what} {row.size:,}: {time.monotonic() - at:.0f} s", flush=True)
                results.rows.append(row)
                at = time.monotonic()
    elapsed = time.monotonic() - began
    results.machine["duration"] = f"{elapsed / 60:.0f} minutes"
    results.machine["taken by other machines on this host"] = f"{(stolen() - steal) / elapsed:.1%} of a core"


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="make scale", description="How costs grow with users, and what follows.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="only see that it works, in half a minute")
    parser.add_argument("--into", type=Path, help="where SCALING.md goes: docs if everything is measured")
    parser.add_argument("--again", type=Path, metavar="FILE", help="write the page of a saved run, and measure nothing")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds must be 1 or more")
    if given.again is not None and not given.again.is_file():
        parser.error(f"--again: there is no {given.again}; a run leaves {PART / SAVED}")
    return given


def main() -> int:
    """Do what the arguments say."""
    given = arguments()
    logs.configure(LogSettings(level="ERROR"), service="bench")
    whole = given.again is None and not sys.argv[1:]
    try:
        results = Results.load(given.again) if given.again is not None else _run(given)
        gateways = Gateway.all_of(PART / PUSHED)
        print(report.write(results, gateways, page=PAGE, into=given.into or (PAGE.parent if whole else PART)))
    except StackError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _run(given: argparse.Namespace) -> Results:
    results = Results("make scale" + (f' ARGS="{shlex.join(sys.argv[1:])}"' if sys.argv[1:] else ""), machine())
    plan = QUICK if given.quick else Plan(rounds=given.rounds)
    try:
        with out_of_the_way(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(measure(plan, results))
    finally:
        results.save(PART / SAVED)
    return results


if __name__ == "__main__":
    sys.exit(main())
