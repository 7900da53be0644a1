"""Owns the command line: `python -m devstack run`, `python -m devstack psql [DATABASE]` and `... keys FOLDER`."""

import argparse
import os
import sys
from pathlib import Path

from devstack import run
from devstack.bus_keys import BusKeys
from devstack.errors import StackError
from devstack.psql import become_psql


def main() -> int:
    """Do what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devstack", description="The system on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start PostgreSQL, NATS and the services; Ctrl-C stops them")
    psql = commands.add_parser("psql", help="psql on the running system; SQL on standard input works")
    psql.add_argument("database", nargs="?", default="inbox", help="inbox (the default) or connection")
    keys = commands.add_parser("keys", help="make the keys of the bus for a production system; what is there is kept")
    keys.add_argument("folder", type=Path, help="a file for each seed, and public.env for the nats-servers")
    arguments = parser.parse_args()
    if arguments.command == "run":
        return run.main(os.environ)
    try:
        if arguments.command == "keys":
            sys.stdout.write(f"{BusKeys(arguments.folder).publish()}\n")
            return 0
        become_psql(os.environ, arguments.database)
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
