"""Makes what only this deployment knows: passwords, the key of the tokens, and a key of the bus for each service.

    docker compose run --rm --user "$(id -u)" secrets

What is there is kept, so it can be run again after an upgrade that needs one more. The folder is for its owner alone;
the files in it can be read by whatever account of a container they are mounted for. A database's URL holds the password
that the database is made with, so the two are made together.
"""

import argparse
import re
import secrets
import sys
from pathlib import Path

import nkeys

DATABASES = ("connection", "inbox")
NATS_SERVERS = ("nats-1", "nats-2", "nats-3")
BYTES = 32
"""Of each secret: as many as HS256 wants (RFC 7518, 3.2), and an NKEY has."""


def make(folder: Path, accounts: list[str], *, postgres: str = "postgres") -> None:
    """Make what is missing in `folder`, among it a key for each of the bus's `accounts`."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name in ("auth_secret", "postgres_password", "grafana_password"):
        _once(folder / name, secrets.token_urlsafe(BYTES))
    for name in DATABASES:
        password = _once(folder / f"{name}_password", secrets.token_urlsafe(BYTES))
        _once(folder / f"{name}_database_url", f"postgresql+asyncpg://{name}:{password}@{postgres}:5432/{name}")
    _once(folder / "nats_routes", _routes(secrets.token_urlsafe(BYTES)))
    keys = {account: _public_key(folder / f"{account.lower()}.seed") for account in accounts}
    _write(folder / "public.env", "".join(f"{account}_NKEY={key}\n" for account, key in keys.items()))


def accounts_in(configuration: str) -> list[str]:
    """The accounts whose public keys the bus is told, `$INBOX_NKEY`."""
    return sorted(set(re.findall(r"\$([A-Z]+)_NKEY", configuration)))


def _public_key(seed: Path) -> str:
    text = _once(seed, nkeys.encode_seed(secrets.token_bytes(BYTES), nkeys.PREFIX_BYTE_USER).decode())
    key: bytes = nkeys.from_seed(bytearray(text.strip().encode())).public_key
    return key.decode()


def _routes(password: str) -> str:
    servers = "".join(f'  "nats://route:{password}@{server}:6222"\n' for server in NATS_SERVERS)
    return f'authorization {{ user: route, password: "{password}" }}\nroutes: [\n{servers}]\n'


def _once(path: Path, text: str) -> str:
    """What stands in a file; `text`, if it is not there yet."""
    if not path.exists():
        _write(path, text)
    return path.read_text()


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a secret that was cut off would be kept for good."""
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text)
    unfinished.chmod(0o444)
    unfinished.replace(path)


def main() -> None:
    """Read the arguments and do it."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description="Makes the secrets of a deployment that are not there yet.")
    parser.add_argument("--folder", type=Path, default=here / "secrets")
    parser.add_argument("--authorization", type=Path, default=here / "nats" / "authorization.conf")
    given = parser.parse_args()
    try:
        make(given.folder, accounts_in(given.authorization.read_text()))
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
