"""Secrets as a deployment has them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.reading import ROOT

ACCOUNTS = ("CONNECTION", "INBOX", "PUSH", "INSPECTOR", "OPERATOR")


@pytest.fixture(scope="session")
def made_secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the secrets of a deployment, made as the deployer makes them."""
    folder = tmp_path_factory.mktemp("secrets")
    authorization = tmp_path_factory.mktemp("nats") / "authorization.conf"
    authorization.write_text("".join(f"users: [{{nkey: ${account}_NKEY}}]\n" for account in ACCOUNTS))
    make_secrets(folder, authorization)
    return folder


def make_secrets(folder: Path, authorization: Path) -> None:
    """Run the script."""
    arguments = ["--folder", str(folder), "--authorization", str(authorization)]
    subprocess.run([sys.executable, ROOT / "deploy" / "make_secrets.py", *arguments], check=True)
