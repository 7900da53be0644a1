"""Owns the last step before a child becomes its program: whose rights it has, and what kills it with its parent.

A program of its own, run as `python -I -S launch.py PARENT SIGNAL ACCOUNT COMMAND...`, where ACCOUNT is `UID:GID` or
`-`. The alternative, `preexec_fn`, runs Python between fork and exec: unsafe as soon as there are threads, and a
warning since Python 3.12. Costs about 15 ms a child. Imports nothing but the standard library.
"""

import ctypes
import os
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(parent: int, death_signal: int, account: str, command: list[str]) -> NoReturn:  # pragma: no cover
    """Become `command`. Not measured by coverage: with -S, nothing that belongs to the environment is loaded."""
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:  # by Python, or by a shell's `&`; exec would keep that
            signal.signal(number, signal.SIG_DFL)
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # while we may still read its file
    if account != "-":
        uid, gid = (int(part) for part in account.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, death_signal)  # after setuid, which clears it
    if os.getppid() != parent:
        sys.exit(f"{command[0]}: not started, its parent is gone")  # it went before prctl could have told us
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is what we want
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)  # as a shell does


if __name__ == "__main__":  # pragma: no cover
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
