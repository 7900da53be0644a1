"""Reads what is deployed as data: the compose file as it is without any variable set, the manifests, the settings."""

import copy
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic_settings import BaseSettings

import bus_inspector.settings
import connection_service.settings
import inbox_service.settings
import push_gateway.settings
from chassis.environment import SUFFIX, is_secret, variable_of
from chassis.settings import AuthSettings, BusSettings, LogSettings, TraceSettings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
KUBERNETES = ROOT / "deploy" / "kubernetes"
SECRETS = ROOT / "deploy" / "secrets"
"""What a deployment makes for itself: the one folder that may be named and not be there."""

Document = dict[str, Any]

SHARED = (LogSettings, TraceSettings, AuthSettings, BusSettings)

SERVING: Mapping[str, tuple[type[BaseSettings], ...]] = {
    "connection_service": (connection_service.settings.Settings, *SHARED),
    "inbox_service": (inbox_service.settings.Settings, *SHARED),
    "push_gateway": (push_gateway.settings.Settings, *SHARED),
    "bus_inspector": (bus_inspector.settings.DatabaseSettings, BusSettings),
}
"""The settings that each process reads, by its module."""

_VARIABLE = re.compile(r"\$\{\w+:?-([^{}]*)\}")
"""One with a default; the innermost first, since a default may hold another one."""


def compose() -> Document:
    """The compose file, with the default of each variable in its place; a copy to do with as one likes."""
    return copy.deepcopy(_compose())


@functools.cache
def _compose() -> Document:
    document: Document = _with_defaults(yaml.safe_load(COMPOSE.read_text()))
    return document


def without_default() -> list[str]:
    """The variables that compose would warn of, if they are not set."""
    return re.findall(r"\$\{(\w+)\}|\$[A-Za-z_]\w*", COMPOSE.read_text())


def _with_defaults(value: Any) -> Any:
    match value:
        case str():
            while _VARIABLE.search(value):
                value = _VARIABLE.sub(lambda found: found[1], value)
            return value
        case dict():
            return {key: _with_defaults(part) for key, part in value.items()}
        case list():
            return [_with_defaults(part) for part in value]
    return value


def manifests(folder: Path) -> Iterator[tuple[str, Document]]:
    """Every object in a folder of Kubernetes, with the name of its file."""
    for file in sorted(folder.glob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            if document is not None and document["kind"] != "Kustomization":
                yield file.name, document


def kustomization(folder: Path) -> Document:
    """What kustomize is told in a folder."""
    document: Document = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return document


def settings_of(module: str, *, migrating: bool = False) -> tuple[type[BaseSettings], ...]:
    """What `python -m module` reads; to migrate takes a database and a log."""
    return SERVING[module][:2] if migrating else SERVING[module]


def variables_of(settings: tuple[type[BaseSettings], ...]) -> set[str]:
    """The names of all variables that these read, and of the files that secrets may be in."""
    names = {variable_of(part, field) for part in settings for field in part.model_fields}
    return names | {name + SUFFIX for name in names if is_secret(name)}
