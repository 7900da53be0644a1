"""Owns the command line: `python -m bench.gateway resume | silent | sweep | reads`, each with its numbers."""

import argparse
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import uvloop

from bench.gateway.reads import reads
from bench.gateway.resume import resume
from bench.gateway.silent import silent
from bench.gateway.sweep import sweep

RUNS: Final[Mapping[str, Callable[..., Coroutine[Any, Any, int]]]] = {
    "resume": resume,
    "silent": silent,
    "sweep": sweep,
    "reads": reads,
}


def main() -> int:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description="The gateway alone under load.")
    commands = parser.add_subparsers(dest="command", required=True)
    returning = commands.add_parser("resume", help="devices that were away come back at once")
    returning.add_argument("--devices", type=int, default=5_000)
    returning.add_argument("--per-user", type=int, default=4)
    returning.add_argument("--events", type=int, default=1_000)
    never = commands.add_parser("silent", help="sockets that never read")
    never.add_argument("--sockets", type=int, default=1_000)
    never.add_argument("--seconds", type=float, default=30)
    idle = commands.add_parser("sweep", help="feeds that are compared with the stream")
    idle.add_argument("--feeds", type=int, default=20_000)
    among = commands.add_parser("reads", help="what reading costs nats-server, alone and in turn")
    among.add_argument("--users", type=int, default=1_000)
    among.add_argument("--events", type=int, default=200)
    arguments = vars(parser.parse_args())
    return uvloop.run(RUNS[arguments.pop("command")](**arguments))


if __name__ == "__main__":
    sys.exit(main())
