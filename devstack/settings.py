"""Owns the environment variables of `make run`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devstack.errors import BadSetting

PORTS: Final = {"INBOX_PORT": 8001, "CONNECTION_PORT": 8002, "PUSH_PORT": 8003, "NATS_PORT": 4222}
DATA_DIR: Final = ".data"


@dataclass(frozen=True)
class Settings:
    """Where the system listens and where it keeps its state."""

    ports: Mapping[str, int]  # by variable, in the order of PORTS
    data_dir: Path


def read(environ: Mapping[str, str]) -> Settings:
    """Read the settings; a variable that is not set, or empty, has its default.

    Raises:
        BadSetting: a port is not a port, or is given twice.
    """
    ports: dict[str, int] = {}
    for variable, default in PORTS.items():
        text = environ.get(variable) or str(default)
        if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65_535):
            raise BadSetting(f"{variable}={text!r} is not a port: give a number from 1 to 65535")
        for other, port in ports.items():
            if port == int(text):
                raise BadSetting(f"{variable}={text} is {other}'s port already: give each its own")
        ports[variable] = int(text)
    return Settings(ports=ports, data_dir=read_data_dir(environ))


def read_data_dir(environ: Mapping[str, str]) -> Path:
    """Where the state is kept."""
    return Path(environ.get("DATA_DIR") or DATA_DIR)
