"""Owns running the command many times: each in a process of its own, that is forked from one which has it loaded.

To load it takes over a second, to fork it a few milliseconds; what it does then is the same.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["bus_inspector.app"])


def run(arguments: Sequence[str], env: Mapping[str, str], *, within: float) -> tuple[int, str, str]:
    """The exit code of the command with this environment, and what it wrote to standard output and to standard error.

    Raises:
        TimeoutError: it has not ended after so many seconds; it has been killed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _context.Process(target=_command, args=(list(arguments), dict(env), out, err))
        process.start()
        process.join(within)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"{arguments} has not ended after {within} s")
        return process.exitcode, out.read_text(), err.read_text()


def _command(arguments: Sequence[str], env: Mapping[str, str], out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(env)
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream.fileno())
    from bus_inspector.app import main  # noqa: PLC0415 - it is there already, where this runs

    sys.exit(main(arguments))
