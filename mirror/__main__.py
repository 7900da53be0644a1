"""`python -m mirror`: forwards what the old system sends, and with a file of users reports on them in the end."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from chassis import logs
from chassis.settings import BusSettings, LogSettings, load
from mirror.app import NAME, mirror
from mirror.comparing import LATE
from mirror.errors import BadInput, MirrorError
from mirror.observing import Watched
from mirror.report import Document, lines
from mirror.settings import Settings

DIFFERENT = 3
"""The exit code if the sides differ."""


def watched(file: Path) -> list[Watched]:
    """The users in a file: `<id in the old system> <token for the old side> <token for the new side>` a line.

    Raises:
        BadInput: it cannot be read, or has another form.
    """
    try:
        rows = [line.split() for line in file.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read: {error}") from error
    for number, row in enumerate(rows, start=1):
        if len(row) != 3:
            raise BadInput(f"{file}: user {number} must be `<id> <token for the old side> <token for the new side>`")
    return [Watched(user, {"old": old, "new": new}) for user, old, new in rows]


async def _run(options: argparse.Namespace, users: Sequence[Watched]) -> Document:
    settings, nats = load(Settings), load(BusSettings)
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.seconds is not None:
        loop.call_later(options.seconds, stop.set)
    return await mirror(settings, nats, users, stop, late=options.late)


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {NAME}", description="Forward, compare, report; until Ctrl-C.")
    parser.add_argument("--users", type=Path, help="a file: `<id> <token for the old side> <token for the new side>`")
    parser.add_argument("--seconds", type=float, help="end by itself after so long")
    parser.add_argument("--late", type=float, default=LATE, help="seconds from which on it is late (%(default)s)")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    options = parser.parse_args(arguments)
    try:
        users = watched(options.users) if options.users is not None else []
        logs.configure(load(LogSettings), service=NAME)
        document = asyncio.run(_run(options, users))
    except (MirrorError, BaseExceptionGroup) as failure:
        error = _known(failure)
        sys.stderr.write(f"{NAME}: {error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(document, indent=2) + "\n" if options.json else "\n".join(lines(document)) + "\n")
    return 0 if document["fine"] else DIFFERENT


def _known(failure: BaseException) -> MirrorError:
    """The error of ours for which everything was ended; what is none of ours is raised again."""
    if isinstance(failure, BaseExceptionGroup) and failure.split(MirrorError)[1] is None:
        return _known(failure.exceptions[0])
    if isinstance(failure, MirrorError):
        return failure
    raise failure


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
