"""Owns what lies where in DATA_DIR, and that only one runner works in it."""

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from devstack.bus_keys import BusKeys
from devstack.errors import BadSetting, DataDirectoryInUse

SECRET_BYTES: Final = 48  # RFC 7518, 3.2 wants at least 32 for HS256


class DataDir:
    """The directory that holds all state of one running system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.postgres = root / "postgres"
        self.nats = root / "nats"
        self.bus_keys = BusKeys(root / "nats-keys")

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Make the directory if need be and keep other runners out; gives whether the one before us was killed.

        The kernel holds the lock, so it cannot outlive its runner. The file's content is the runner's pid, and goes
        when a runner ends in good order.

        Raises:
            BadSetting: we cannot write there.
            DataDirectoryInUse: another runner works in it.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / "runner.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise BadSetting(f"DATA_DIR={self.root}: {error.strerror}") from error
        with os.fdopen(handle, "r+") as file:
            before = file.read().strip()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataDirectoryInUse(
                    f"DATA_DIR={self.root} is in use by another `make run` (process {before}): stop that one, or set"
                    " DATA_DIR and the ports (INBOX_PORT, CONNECTION_PORT, PUSH_PORT, NATS_PORT) to run a second one"
                ) from error
            self._write(file.fileno(), str(os.getpid()))
            try:
                yield bool(before)
            finally:
                self._write(file.fileno(), "")

    def secret(self) -> str:
        """The secret that signs development tokens: made once, so that tokens survive a restart."""
        path = self.root / "auth-secret"
        if not path.exists():
            unfinished = path.with_suffix(".new")
            unfinished.unlink(missing_ok=True)
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(SECRET_BYTES))
            unfinished.rename(path)
        return path.read_text()

    @staticmethod
    def _write(handle: int, text: str) -> None:
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)


def fingerprint(directory: Path) -> str:
    """Eight characters that stand for a directory where its path is too long or too exposed."""
    return hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:8]
