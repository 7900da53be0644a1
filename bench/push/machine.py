"""Owns what the benchmark ran on, in words."""

import os
import platform
import re
from pathlib import Path

import psutil

GIB = 1024**3


def machine() -> dict[str, str]:
    """What matters for comparing figures."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": f"{len(os.sched_getaffinity(0))} cores of {model[1] if model else platform.machine()}",
        "memory": f"{psutil.virtual_memory().total / GIB:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
    }


def stolen() -> float:
    """CPU seconds that a hypervisor gave to others, since the machine was started."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))
