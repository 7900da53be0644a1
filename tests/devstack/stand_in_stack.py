"""`make run` with stand-ins for the services; what they do is told by the arguments."""

import argparse
import os
import sys
from pathlib import Path

from devstack.run import main
from devstack.services import Service
from devstack.settings import Settings

STAND_IN = str(Path(__file__).with_name("stand_in_service.py"))

parser = argparse.ArgumentParser()
parser.add_argument("--stubborn", action="store_true", help="the inbox ignores SIGTERM")
parser.add_argument("--migration-exits", type=int, default=0, metavar="CODE")
parser.add_argument("--inbox-exits", type=int, metavar="CODE", help="the inbox ends before it is ready")
options = parser.parse_args()


def stand_ins(settings: Settings) -> list[Service]:
    """One stand-in for each service."""
    inbox, connection, push = (settings.ports[name] for name in ("INBOX_PORT", "CONNECTION_PORT", "PUSH_PORT"))
    serve = (sys.executable, STAND_IN)
    migrate = (sys.executable, "-c", f"print('migrating'); raise SystemExit({options.migration_exits})")
    inbox_command = (*serve, str(inbox), *(["--stubborn"] if options.stubborn else []))
    if options.inbox_exits is not None:
        inbox_command = (sys.executable, "-c", f"raise SystemExit({options.inbox_exits})")
    return [
        Service("connection", (*serve, str(connection)), connection, migrate),
        Service("inbox", inbox_command, inbox, migrate),
        Service("push", (*serve, str(push)), push),
    ]


sys.exit(main(os.environ, stand_ins))
