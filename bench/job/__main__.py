"""Owns the command line: `python -m bench.job [--rounds 5] [--seconds 5] [--rate 40] [--systems tandem,...]`."""

import argparse
import dataclasses
import json
from pathlib import Path

import uvloop

from bench.job.report import report
from bench.job.rounds import Measured, Plan, measure, stage


async def run(plan: Plan, names: list[str]) -> tuple[str, list[Measured]]:
    """Measure the systems of these names, all if there are none; returns the report and what it was made from."""
    async with stage() as whole:
        wanted = [system for system in whole.systems if not names or system.name in names]
        reasons = [(system, system.available()) for system in wanted]
        present = [system for system, reason in reasons if reason is None]
        measured = await measure(whole, present, plan)
        absent = [(system.name, reason) for system, reason in reasons if reason is not None]
        return report(present, absent, measured, plan), measured


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m bench.job", description="The whole job, and the old design's.")
    parser.add_argument("--rounds", type=int, default=Plan.rounds)
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of answering, each way")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="answers a second that everybody is given")
    parser.add_argument("--systems", default="", help="tandem,django-uvicorn,django-daphne: some of these")
    parser.add_argument("--raw", type=Path, help="a file for every round's figures, as JSON")
    told = parser.parse_args()
    plan = Plan(rounds=told.rounds, seconds=told.seconds, rate=told.rate)
    text, measured = uvloop.run(run(plan, [name for name in told.systems.split(",") if name]))
    print(text)
    if told.raw is not None:
        told.raw.write_text(json.dumps([dataclasses.asdict(each) for each in measured], indent=1) + "\n")


if __name__ == "__main__":
    main()
