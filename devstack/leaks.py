"""Owns `python -m devstack.leaks`: whether something that looks like a secret stands in a file that git knows.

What is known and harmless, passwords of tests above all, is listed by file and hash in `.secrets.baseline`; lines may
move. `--accept` writes that list anew: look at what it adds before it is committed.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from detect_secrets.core import baseline
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

ROOT: Final = Path(__file__).parents[1]
BASELINE: Final = Path(".secrets.baseline")

WITHOUT: Final = ("requirements/", "contracts/schemas/", "contracts/vectors/", "docs/images/", str(BASELINE))
"""Where nobody types anything: hashes and what is generated. They are most of all bytes."""


def scan(root: Path, names: Iterable[str]) -> SecretsCollection:
    """Whatever looks like a secret in files of `root`. Nothing is sent anywhere to find out whether it works."""
    found = SecretsCollection(root=str(root))
    with default_settings():
        found.scan_files(*names, num_processors=os.cpu_count() or 1)
    return found


def news(found: SecretsCollection, known: SecretsCollection) -> list[str]:
    """Where something is found that is not known, and what it looks like; never the thing itself."""
    harmless = {(name, secret.secret_hash) for name, secret in known}
    return [
        f"{name}:{secret.line_number}: this looks like a secret ({secret.type})"
        for name, secret in found
        if (name, secret.secret_hash) not in harmless
    ]


def files_of(root: Path) -> list[str]:
    """What git knows in `root`, except for `WITHOUT`."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)  # noqa: S607
    return [name for name in listed.stdout.split("\0") if name and not name.startswith(WITHOUT)]


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    found = scan(ROOT, files_of(ROOT))
    if arguments == ["--accept"]:
        with default_settings():
            baseline.save_to_file(found, str(ROOT / BASELINE))
        return 0
    known = SecretsCollection.load_from_baseline(baseline.load_from_file(str(ROOT / BASELINE)))
    complaints = news(found, known)
    for complaint in complaints:
        print(complaint)
    if complaints:
        print("take it out and change it; or, if it is harmless: .venv/bin/python -m devstack.leaks --accept")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
