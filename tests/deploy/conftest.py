"""Secrets as a deployment has them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.reading import ROOT

AUTHORIZATION = ROOT / "deploy" / "nats" / "authorization.conf"
STAND_IN = "".join(
    f"accounts {{ {name} {{ users: [{{nkey: ${name}_NKEY}}] }} }}\n"
    for name in ("CONNECTION", "INBOX", "PUSH", "INSPECTOR", "OPERATOR")
)
"""As far as the secrets go; for as long as the real one is awaited (see reading.py)."""


@pytest.fixture(scope="session")
def authorization(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that says which keys the bus has to be told."""
    if AUTHORIZATION.exists():
        return AUTHORIZATION
    stand_in = tmp_path_factory.mktemp("nats") / "authorization.conf"
    stand_in.write_text(STAND_IN)
    return stand_in


@pytest.fixture(scope="session")
def made_secrets(tmp_path_factory: pytest.TempPathFactory, authorization: Path) -> Path:
    """The folder with the secrets of a deployment, made as the deployer makes them."""
    folder = tmp_path_factory.mktemp("secrets")
    make_secrets(folder, authorization)
    return folder


def make_secrets(folder: Path, authorization: Path) -> None:
    """Run the script."""
    arguments = ["--folder", str(folder), "--authorization", str(authorization)]
    subprocess.run([sys.executable, ROOT / "deploy" / "make_secrets.py", *arguments], check=True)
