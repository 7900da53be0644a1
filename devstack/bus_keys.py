"""Owns the keys of the bus: one NKEY for each account of `deploy/nats/authorization.conf`, made once.

A seed is what its owner proves who it is with, and stays in a file of its own that nobody else may read; the servers
are told the public keys only.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, get_args

import nkeys

from devstack.errors import BadSetting

Account = Literal["connection", "inbox", "push", "inspector", "operator", "admin"]

ACCOUNTS: Final[tuple[Account, ...]] = get_args(Account)

SEED_BYTES: Final = 32
"""Of an Ed25519 key (RFC 8032, 5.1.5)."""

PASSWORD_BYTES: Final = 32

PUBLIC_KEYS: Final = "public.env"
"""The file with what the servers are told, a variable a line, as systemd's EnvironmentFile and compose's env_file have
it."""


class BusKeys:
    """The keys in a folder. What is there is kept; what is missing is made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def seed_file(self, account: Account) -> Path:
        """The file with the seed of an account, which only its owner may read.

        Raises:
            BadSetting: it cannot be written.
        """
        path = self.folder / f"{account}.seed"
        if not path.exists():
            seed: bytes = nkeys.encode_seed(secrets.token_bytes(SEED_BYTES), nkeys.PREFIX_BYTE_USER)
            self._write(path, seed.decode(), mode=0o600)
        return path

    def public_keys(self) -> Mapping[str, str]:
        """The public keys, by the variables that `deploy/nats/authorization.conf` reads.

        Raises:
            BadSetting: a seed cannot be written, or is none.
        """
        return {f"{account.upper()}_NKEY": self._public_key(account) for account in ACCOUNTS}

    def publish(self) -> Path:
        """Write the public keys where whoever starts the servers finds them; returns the file.

        Raises:
            BadSetting: it cannot be written, or a seed is none.
        """
        path = self.folder / PUBLIC_KEYS
        self._write(path, "".join(f"{name}={key}\n" for name, key in self.public_keys().items()), mode=0o644)
        return path

    def route_password(self) -> str:
        """By which the servers of a cluster know each other.

        Raises:
            BadSetting: it cannot be written.
        """
        path = self.folder / "route.password"
        if not path.exists():
            self._write(path, secrets.token_urlsafe(PASSWORD_BYTES), mode=0o600)
        return path.read_text()

    def _public_key(self, account: Account) -> str:
        path = self.seed_file(account)
        try:
            key: bytes = nkeys.from_seed(bytearray(path.read_bytes().strip())).public_key
        except (OSError, nkeys.NkeysError, ValueError) as error:
            raise BadSetting(f"{path} holds no seed of an NKEY: remove it, and another one is made") from error
        return key.decode()

    def _write(self, path: Path, text: str, *, mode: int) -> None:
        """Write a file whole or not at all."""
        unfinished = path.with_suffix(".new")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished.unlink(missing_ok=True)
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
                file.write(text)
            unfinished.rename(path)
        except OSError as error:
            raise BadSetting(f"{path}: {error.strerror}") from error
