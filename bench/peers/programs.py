"""Owns where the peers' programs come from: an environment of their own, Debian's packages, the Go module proxy.

Nothing is installed into the system and no service is started: packages are downloaded and unpacked into a folder.
Whatever cannot be had is `Absent`, with the reason.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache" / "bench"

PYTHON: Final = ROOT / ".venv-bench" / "bin" / "python"
"""What runs the peers that are written in Python."""

FETCHING: Final = 600
"""Seconds that a download or a build may take."""


class Absent(Exception):
    """A program cannot be had here; the message says why."""


def python() -> Path:
    """The Python that has the peers' packages.

    Raises:
        Absent: they are not installed.
    """
    if not PYTHON.exists():
        raise Absent(".venv-bench is not there: `make bench` makes it from requirements/bench.txt")
    return PYTHON


def package_versions(*names: str) -> str:
    """The versions of some of the peers' Python packages, as `name 1.2, name 3.4`."""
    ask = "import sys, importlib.metadata as m; print(', '.join(f'{n} {m.version(n)}' for n in sys.argv[1:]))"
    return output([str(python()), "-c", ask, *names]).strip()


@cache
def debian(*packages: str) -> Path:
    """A folder in which Debian's packages lie unpacked, with what they need beyond what the system has.

    Raises:
        Absent: there is no apt-get, or it does not have them.
    """
    folder = CACHE / "debian" / "-".join(packages)
    with _one_at_a_time():
        if not folder.exists():
            _unpack(folder, packages)
    return folder


def _unpack(folder: Path, packages: Sequence[str]) -> None:
    if shutil.which("apt-get") is None:
        raise Absent("needs Debian's package, and there is no apt-get")
    archives = CACHE / "archives" / folder.name
    for part in ("archives", "lists"):
        (archives / part / "partial").mkdir(parents=True, exist_ok=True)
    places = ["-o", f"Dir::Cache={archives}", "-o", f"Dir::State::lists={archives}/lists"]
    options = [*places, "-o", "Debug::NoLocking=1", "-o", "APT::Install-Recommends=no"]  # none of it needs root
    output(["apt-get", *options, "update"])
    output(["apt-get", *options, "install", "--reinstall", "--download-only", "--yes", *packages])
    unfinished = folder.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for archive in (archives / "archives").glob("*.deb"):
        output(["dpkg-deb", "-x", str(archive), str(unfinished)])
    unfinished.rename(folder)


def libraries(folder: Path) -> Mapping[str, str]:
    """The environment in which programs find the libraries that were unpacked with them."""
    return {"LD_LIBRARY_PATH": ":".join(str(lib) for lib in folder.glob("usr/lib/*-linux-gnu"))}


@cache
def go(module: str) -> Path:
    """The program of a Go module, `example.com/name@version`, built with the toolchain that is here.

    Raises:
        Absent: there is no toolchain, or the module proxy does not have it.
    """
    if shutil.which("go") is None:
        raise Absent("is built with the Go toolchain, and there is none")
    program = go_program(module)
    places = {"GOPATH": str(CACHE / "go"), "GOCACHE": str(CACHE / "go-build"), "GOBIN": str(program.parent)}
    with _one_at_a_time():
        if not program.exists():
            output(["go", "install", module], places)
    return program


def go_program(module: str) -> Path:
    """Where that program is, or will be: building it takes minutes."""
    return CACHE / "go" / "bin" / re.sub(r"(/v\d+)?@.*", "", module).rpartition("/")[2]


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keeps other processes from fetching the same: tests run side by side."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def output(command: Sequence[str], env: Mapping[str, str] | None = None, *, errors: bool = False) -> str:
    """What a command prints, or with `errors` what it prints there.

    Raises:
        Absent: it failed; the message is its complaint.
    """
    try:
        done = subprocess.run(  # noqa: S603 - commands of ours
            command, env=os.environ | dict(env or {}), capture_output=True, text=True, timeout=FETCHING, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Absent(f"`{' '.join(command[:3])}` took over {FETCHING} s") from error
    if done.returncode != 0:
        complaint = " ".join(word for word in done.stderr.split() if "://" not in word) or f"exit {done.returncode}"
        raise Absent(f"`{' '.join(command[:3])}` failed: {complaint}")
    return done.stderr if errors else done.stdout
