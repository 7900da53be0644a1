"""Secrets as a deployment has them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.reading import ROOT

AUTHORIZATION = ROOT / "deploy" / "nats" / "authorization.conf"


@pytest.fixture(scope="session")
def made_secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the secrets of a deployment, made as the deployer makes them."""
    folder = tmp_path_factory.mktemp("secrets")
    make_secrets(folder, AUTHORIZATION)
    return folder


def make_secrets(folder: Path, authorization: Path) -> None:
    """Run the script."""
    arguments = ["--folder", str(folder), "--authorization", str(authorization)]
    subprocess.run([sys.executable, ROOT / "deploy" / "make_secrets.py", *arguments], check=True)
