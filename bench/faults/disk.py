"""Owns a small disk: a file system of its own in memory, which can be filled up and freed."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FILLER: Final = "filler"

CHUNKS: Final = (1024 * 1024, 4096)
"""Bytes written at once: much first, then the size of a page, until not one more fits."""


@contextlib.contextmanager
def mounted(place: Path, *, mib: int) -> Iterator[None]:
    """An empty file system of so many MiB at `place` while the block runs.

    Raises:
        PermissionError: we may not mount.
    """
    place.mkdir(parents=True, exist_ok=True)
    told = subprocess.run(  # noqa: S603
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=755", "tandem", place],  # noqa: S607
        check=False,
        capture_output=True,
        text=True,
    )
    if told.returncode != 0:
        raise PermissionError(told.stderr.partition("\n")[0])
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)  # noqa: S603, S607


@contextlib.contextmanager
def full(place: Path) -> Iterator[None]:
    """A file eats what is left of the file system at `place` while the block runs."""
    path = place / FILLER
    try:
        with path.open("wb", buffering=0) as file:
            for chunk in CHUNKS:
                with contextlib.suppress(OSError):  # no space left on device: ENOSPC, which is what we want
                    while file.write(bytes(chunk)) == chunk:
                        pass
        yield
    finally:
        path.unlink()


def refusal() -> str | None:
    """Why a disk cannot be had on this machine; None if it can."""
    with tempfile.TemporaryDirectory(prefix="tandem-disk-") as folder:
        try:
            with mounted(Path(folder), mib=1):
                return None
        except OSError as error:  # includes: there is no such program
            return f"mount -t tmpfs: {error} (needs root)"
