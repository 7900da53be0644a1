"""Owns what processes use up, as the kernel counts it: CPU and memory of whole trees, and what belongs to no process.

The clock of a process counts the kernel's work for it too, and what its threads used that have ended. What the kernel
does for the network it does on the account of whoever runs just then, which is nearly always the sender; what it puts
off is done by a thread of its own, `ksoftirqd`, and is listed apart.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import psutil

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PSS: Final = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)
_TCP_PAGES: Final = re.compile(r"^TCP: .* mem (\d+)$", re.MULTILINE)
_SLAB: Final = re.compile(r"^Slab: +(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Cpu:
    """CPU seconds, since some moment or between two.

    Attributes:
        servers: of the processes that serve the sockets.
        brokers: of those between the publisher and them.
        deferred: of the kernel's thread that does what was put off on the servers' core, whoever it was for.
    """

    servers: float
    brokers: float
    deferred: float

    def __sub__(self, earlier: "Cpu") -> "Cpu":
        return Cpu(*(getattr(self, each.name) - getattr(earlier, each.name) for each in fields(self)))


@dataclass(frozen=True)
class Memory:
    """Bytes at a moment.

    Attributes:
        servers: what the servers have for themselves, and their shares of what they share (PSS).
        brokers: the same of the brokers.
        kernel: the kernel's own for everybody on this machine, and its buffers of TCP. Per socket this is for both
            ends of it, as both are here.
    """

    servers: int
    brokers: int
    kernel: int


def cpu(servers: Sequence[int], brokers: Sequence[int], core: int) -> Cpu:
    """What these processes, and all that descends from them, have used so far."""
    return Cpu(cpu_seconds(servers), cpu_seconds(brokers), _seconds(_thread_of_the_kernel(f"ksoftirqd/{core}")))


def memory(servers: Sequence[int], brokers: Sequence[int]) -> Memory:
    """What these processes, and all that descends from them, have now."""
    return Memory(resident(servers), resident(brokers), _kernel())


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU seconds of processes, of their descendants, and of those among these that have ended and were waited for."""
    return sum(_seconds(pid) + _of_the_dead(pid) for pid in _trees(pids))


def resident(pids: Iterable[int]) -> int:
    """Bytes (PSS) of processes and their descendants: what several share counts once."""
    total = 0
    for pid in _trees(pids):
        with contextlib.suppress(OSError):  # it has ended
            found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
            total += int(found[1]) * 1024 if found else 0
    return total


def _trees(pids: Iterable[int]) -> Iterator[int]:
    for pid in pids:
        yield pid
        with contextlib.suppress(psutil.NoSuchProcess):
            yield from (child.pid for child in psutil.Process(pid).children(recursive=True))


def _seconds(pid: int) -> float:
    """By the process's own clock, which counts nanoseconds where /proc/PID/stat counts hundredths of a second.

    The id is what clock_getcpuclockid(3) makes of a pid, which Python has no name for.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:  # it has ended
        return 0.0


def _of_the_dead(pid: int) -> float:
    """What children used that have ended and that it has waited for: `cutime` and `cstime` of proc_pid_stat(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[13]) + int(fields[14])) / _TICKS


def _thread_of_the_kernel(name: str) -> int:
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == name:
            return int(process.pid)
    return 0


def _kernel() -> int:
    slab = _SLAB.search(Path("/proc/meminfo").read_text())
    pages = _TCP_PAGES.search(Path("/proc/net/sockstat").read_text())
    return (int(slab[1]) * 1024 if slab else 0) + (int(pages[1]) * _PAGE if pages else 0)
