"""Owns processes together with all that descend from them.

The process group does not do: each of PostgreSQL's backends leads a session of its own.
"""

import signal

import psutil


def signal_tree(pid: int, number: signal.Signals) -> list[psutil.Process]:
    """Signal a process and then its descendants; return those that there were."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    for process in tree:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue  # it ended a moment ago
    return tree


def alive(process: psutil.Process) -> bool:
    """Whether a process can still do something; one that only waits for its parent to take note of its end cannot."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
