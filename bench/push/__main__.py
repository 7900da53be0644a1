"""Owns the command line: `make bench` measures all contenders, in turns, and writes docs/PERFORMANCE.md."""

import argparse
import asyncio
import contextlib
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import uvloop

from bench.gateway.stage import raise_file_limit
from bench.job import __main__ as job
from bench.job.rounds import Plan as JobPlan
from bench.job.verdicts import verdicts as of_job
from bench.push import accepting, processes, report
from bench.push.compiled import ROOT
from bench.push.contender import Contender, cores
from bench.push.contenders import CONTENDERS
from bench.push.figures import faults
from bench.push.machine import machine, stolen
from bench.push.plan import DEVICES, ROUNDS, SOCKETS, Plan
from bench.push.rows import Results, Row
from bench.push.verdicts import TANDEM
from bench.push.visit import Turn
from chassis import logs
from chassis.settings import LogSettings
from devstack.errors import StackError

DOCS: Final = ROOT / "docs"
PART: Final = ROOT / ".data" / "bench"
"""Where the page of a run goes that is not the whole one."""

SAVED: Final = "push.json"


@contextlib.contextmanager
def out_of_the_way() -> Iterator[None]:
    """Keep to the core of the load, where this process has nothing to do while a load is applied."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cores()[1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)


async def measure(plan: Plan, results: Results, contenders: Mapping[str, Contender]) -> None:
    """Take all turns; `results` is complete up to the last one that ended."""
    slow: dict[tuple[str, int], set[int]] = {}
    began, steal = time.monotonic(), stolen()
    for visit in plan.visits():
        tired = slow.setdefault((visit.contender, visit.devices), set())
        levels = [level for level in visit.sockets if level not in tired]
        if not levels:
            continue
        turn = Turn(contenders[visit.contender], visit, plan, results.rows.append)
        print(f"round {visit.round}, {visit.contender}, {visit.devices} a user ...", end=" ", flush=True)
        at = time.monotonic()
        await turn.run(levels)
        tired |= turn.slow
        print(f"{time.monotonic() - at:.0f} s{_remark(results.rows[-1])}", flush=True)
    elapsed = time.monotonic() - began
    results.machine["duration"] = f"{elapsed / 60:.0f} minutes"
    results.machine["taken by other machines on this host"] = f"{(stolen() - steal) / elapsed:.1%} of a core"


def _remark(last: Row) -> str:
    return f", failed at {last.sockets} sockets: {last.failure}" if last.what == "failed" else ""


def present(names: Sequence[str], results: Results) -> dict[str, Contender]:
    """The contenders that can be started here; the others are named in `results`."""
    found: dict[str, Contender] = {}
    for name in names:
        contender = CONTENDERS[name]()
        reason = contender.available()
        if reason is not None:
            results.absent[name] = reason
            print(f"{name} is absent: {reason}", flush=True)
            continue
        found[name] = contender
        results.what[name], results.versions[name] = contender.what, contender.version()
    return found


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="make bench", description="Pushing, against the peers.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="with commas between them")
    parser.add_argument("--sockets", default=",".join(map(str, SOCKETS)), help="ascending, with commas between them")
    parser.add_argument("--devices", default=",".join(map(str, DEVICES)), help="of each user, with commas between them")
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of each load")
    parser.add_argument(
        "--job",
        action=argparse.BooleanOptionalAction,
        help="measure the whole job too; if not given, where contenders, sockets and devices are not chosen",
    )
    parser.add_argument("--into", type=Path, help="where PERFORMANCE.md goes: docs if everything is measured")
    parser.add_argument("--again", type=Path, metavar="FILE", help="write the page of a saved run, and measure nothing")
    given = parser.parse_args()
    unknown = set(given.contenders.split(",")) - set(CONTENDERS)
    if unknown:
        parser.error(f"there is no contender {', '.join(sorted(unknown))}; there are {', '.join(CONTENDERS)}")
    return given


def main() -> int:
    """Do what the arguments say."""
    given = arguments()
    if given.again is not None:
        print(report.write(Results.load(given.again), given.into or PART))
        return 0
    logs.configure(LogSettings(level="ERROR"), service="bench")
    raise_file_limit()
    results = Results("make bench" + (f' ARGS="{shlex.join(sys.argv[1:])}"' if sys.argv[1:] else ""), machine())
    contenders = present(given.contenders.split(","), results)
    sockets, devices = ([int(number) for number in text.split(",")] for text in (given.sockets, given.devices))
    plan = Plan(list(contenders), given.rounds, sorted(sockets), sorted(devices), given.seconds)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            with out_of_the_way():
                runner.run(measure(plan, results, contenders))
            if TANDEM in contenders:
                print("accepting, step by step ...", flush=True)
                results.rows += runner.run(accepting.measure(plan.rounds, cores()[0]))
                print("several processes ...", flush=True)
                results.rows += runner.run(processes.measure(plan.devices, plan.rounds, plan.seconds))
            if _everything(given) if given.job is None else given.job:
                print("the whole job ...", flush=True)
                results.job, measured = runner.run(job.run(JobPlan(rounds=plan.rounds), []))
                results.of_job = [*of_job(measured)]
    except StackError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    finally:
        results.save(PART / SAVED)
    print(report.write(results, given.into or (PART if sys.argv[1:] else DOCS)))
    return int(bool(faults(results, TANDEM)))


def _everything(given: argparse.Namespace) -> bool:
    defaults = (",".join(CONTENDERS), ",".join(map(str, SOCKETS)), ",".join(map(str, DEVICES)))
    return (given.contenders, given.sockets, given.devices) == defaults


if __name__ == "__main__":
    sys.exit(main())
