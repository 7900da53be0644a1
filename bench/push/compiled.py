"""Owns the programs in C: compiling them when they are first used, and again when a source has changed."""

import asyncio
import hashlib
import shutil
from pathlib import Path
from typing import Final

from devstack.errors import NotRunning, StackError

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = Path(__file__).with_name("native")
CACHE: Final = ROOT / ".cache" / "bench"

FLAGS: Final = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")

SHARED: Final = ("fail", "buffer", "net", "nats", "marks")
PARTS: Final = {
    "load": (*SHARED, "histogram", "frames", "template", "plan", "ledger", "publisher", "clients", "opening",
             "publishing"),
    "floor": SHARED,
}  # fmt: skip
"""The sources of each program, beyond the one that has its name."""


async def program(name: str) -> Path:
    """The compiled program: `load` or `floor`.

    Raises:
        NotRunning: there is no C compiler.
        StackError: it does not compile; the text is the compiler's.
    """
    built = CACHE / f"{name}-{_fingerprint()}"
    if not built.exists():
        compiler = shutil.which("cc")
        if compiler is None:
            raise NotRunning("there is no C compiler `cc`: on Debian, `apt-get install gcc libc6-dev`")
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = built.with_suffix(".new")
        sources = [SOURCES / f"{part}.c" for part in (name, *PARTS[name])]
        compiling = await asyncio.create_subprocess_exec(
            compiler, *FLAGS, "-o", unfinished, *sources, stderr=asyncio.subprocess.PIPE
        )
        _, complaints = await compiling.communicate()
        if compiling.returncode:
            raise StackError(complaints.decode())
        unfinished.replace(built)
    return built


def _fingerprint() -> str:
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for source in sorted(SOURCES.glob("*.[ch]")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:12]
