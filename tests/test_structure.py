"""The house of DESIGN.md, section 1: who may import whom, what is spelled where, and what must not happen at import.

Each rule takes modules as syntax trees by name and gives its complaints; below, each is tried on small sources too.
"""

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

GROUND_FLOOR = {"contracts", "chassis"}
GATEWAY = "push_gateway"
DEVELOPMENT = {"devstack", "handbook"}

Modules = Mapping[str, ast.Module]
Rule = Callable[[Modules], Iterator[str]]

DATABASE_CODE = {"sqlalchemy", "asyncpg", "alembic", "psycopg"}

SPELLINGS = {"contracts.subjects"}
DOCUMENT_KEYS = {"contracts.asyncapi", "contracts.asyncapi_messages"}
"""Where `push.` begins the key of a message in the AsyncAPI document, which is no subject."""

SUBJECTS = ("events.", "push.", "relay.", "deadletters.", "inspect.", "revoked.")
STREAMS = {"EVENTS", "DEADLETTERS", "REVOCATIONS"}

NAMES_THAT_SAY_NOTHING = {"utils", "util", "common", "base", "helpers", "helper", "misc"}

CONNECTING = {
    "create_engine", "create_async_engine", "sessionmaker", "async_sessionmaker",
    "Client", "AsyncClient", "NATS", "connect", "Bus", "Database",
}  # fmt: skip
"""What makes an engine or a client; whatever ends in `Settings` makes settings."""


def packages() -> list[str]:
    """The packages of this repository, whichever are there: a new one is bound by the rules at once."""
    return sorted(folder.parent.name for folder in ROOT.glob("*/__init__.py"))


def house() -> Modules:
    """Every module of every package, migrations included."""
    files = [file for package in packages() for file in (ROOT / package).rglob("*.py")]
    return {_name(file): ast.parse(file.read_text("utf-8"), str(file)) for file in files}


def _name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def top(name: str) -> str:
    """The package that a dotted name belongs to."""
    return name.partition(".")[0]


def imported(module: str, tree: ast.Module) -> Iterator[str]:
    """Every dotted name that `module` imports, at any depth and under any condition."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=origin, names=names, level=level):
                assert level == 0, f"{module} has a relative import, which hides from where it takes"
                yield origin or ""
                yield from (f"{origin}.{alias.name}" for alias in names)  # which may be modules
            case ast.Call(func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__")):
                yield from (str(part.value) for part in node.args if isinstance(part, ast.Constant))


def services_import_only_the_ground_floor(modules: Modules) -> Iterator[str]:
    local = {top(name) for name in modules}
    for name, tree in modules.items():
        if top(name) not in GROUND_FLOOR | DEVELOPMENT:
            for other in imported(name, tree):
                if top(other) in local - GROUND_FLOOR - {top(name)}:
                    yield f"{name} imports {other}"


def the_ground_floor_imports_nobody(modules: Modules) -> Iterator[str]:
    local = {top(name) for name in modules}
    for name, tree in modules.items():
        if top(name) in GROUND_FLOOR:
            yield from (
                f"{name} imports {other}" for other in imported(name, tree) if top(other) in local - {top(name)}
            )


def contracts_import_pydantic_only(modules: Modules) -> Iterator[str]:
    allowed = {"contracts", "pydantic", *sys.stdlib_module_names}
    for name, tree in modules.items():
        if top(name) == "contracts":
            yield from (f"{name} imports {other}" for other in imported(name, tree) if top(other) not in allowed)


def the_gateway_reaches_no_database_code(modules: Modules) -> Iterator[str]:
    waiting = [(name, name) for name in modules if top(name) == GATEWAY]
    seen = set()
    while waiting:
        name, way = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for other in imported(name, modules[name]):
            if top(other) in DATABASE_CODE:
                yield f"{way} > {other}"
            waiting += [(part, f"{way} > {part}") for part in _run_by(other) if part in modules]


def _run_by(name: str) -> list[str]:
    """What an import of `name` runs: each package on the way to it too."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def nobody_imports_what_is_for_development(modules: Modules) -> Iterator[str]:
    for name, tree in modules.items():
        if top(name) not in DEVELOPMENT:
            yield from (f"{name} imports {other}" for other in imported(name, tree) if top(other) in DEVELOPMENT)


def subjects_are_spelled_in_one_place(modules: Modules) -> Iterator[str]:
    for name, tree in modules.items():
        if name in SPELLINGS | DOCUMENT_KEYS:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
                if text.startswith(SUBJECTS) or text in STREAMS:
                    yield f"{name}:{node.lineno} spells {text!r}"


def modules_are_named_for_what_they_own(modules: Modules) -> Iterator[str]:
    yield from (name for name in modules if NAMES_THAT_SAY_NOTHING & set(name.split(".")))


def nothing_is_connected_at_import(modules: Modules) -> Iterator[str]:
    for name, tree in modules.items():
        for call in _calls_at_import(tree.body):
            called = ast.unparse(call.func).rpartition(".")[2]
            if called in CONNECTING or called.endswith("Settings"):
                yield f"{name}:{call.lineno} calls {called}"


def _calls_at_import(nodes: list[ast.stmt]) -> Iterator[ast.Call]:
    """Calls that run when a module is imported: not in functions, but in their decorators and default values."""
    waiting: list[ast.AST] = list(nodes)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                waiting += [*node.decorator_list, node.args]
            case ast.Lambda():
                waiting.append(node.args)
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                waiting += node.orelse
            case _:
                if isinstance(node, ast.Call):
                    yield node
                waiting += ast.iter_child_nodes(node)


RULES: list[Rule] = [
    services_import_only_the_ground_floor,
    the_ground_floor_imports_nobody,
    contracts_import_pydantic_only,
    the_gateway_reaches_no_database_code,
    nobody_imports_what_is_for_development,
    subjects_are_spelled_in_one_place,
    modules_are_named_for_what_they_own,
    nothing_is_connected_at_import,
]


def test_the_house_is_looked_at_whole() -> None:
    """A rule over nothing would hold."""
    assert {*GROUND_FLOOR, GATEWAY, *DEVELOPMENT, "connection_service", "inbox_service"} <= set(packages())
    assert {"contracts", "chassis.bus", "inbox_service.migrations.versions.0001_first_schema"} <= house().keys()


@pytest.mark.parametrize("service", ["connection_service", "inbox_service"])
def test_the_services_have_the_same_rooms(service: str) -> None:
    """Who knows one knows both."""
    rooms = ("settings", "models", "queries", "api", "changes", "app", "errors", "__main__", "migrations.env")
    assert {f"{service}.{room}" for room in rooms} <= house().keys()


@pytest.mark.parametrize("rule", RULES)
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    """The complaints say where to look."""
    assert list(rule(house())) == []


SMALL_HOUSE = {
    "contracts": "",
    "contracts.subjects": 'EVENTS_STREAM = "EVENTS"\ndef event_subject(user): return f"events.{user}"',
    "chassis": "",
    "chassis.bus": "import nats",
    "chassis.database": "import sqlalchemy",
    "inbox_service": "",
    "connection_service": "",
    "push_gateway": "import chassis.bus",
    "devstack": "",
    "handbook": "",
}


def built(changes: Mapping[str, str]) -> Modules:
    return {name: ast.parse(source) for name, source in {**SMALL_HOUSE, **changes}.items()}


@pytest.mark.parametrize(
    ("rule", "module", "source"),
    [
        (services_import_only_the_ground_floor, "inbox_service.api", "import connection_service"),
        (services_import_only_the_ground_floor, "inbox_service.api", "from connection_service import models"),
        (services_import_only_the_ground_floor, "inbox_service.api", "def f():\n    import connection_service.models"),
        (services_import_only_the_ground_floor, "push_gateway.app", "if TYPE_CHECKING:\n    import inbox_service"),
        (services_import_only_the_ground_floor, "push_gateway.app", "import_module('inbox_service.models')"),
        (services_import_only_the_ground_floor, "connection_service.app", "__import__('inbox_service')"),
        (services_import_only_the_ground_floor, "bus_inspector", "import push_gateway"),
        (the_ground_floor_imports_nobody, "contracts.events", "from chassis import bus"),
        (the_ground_floor_imports_nobody, "chassis.relay", "from contracts.subjects import user_id"),
        (the_ground_floor_imports_nobody, "chassis.relay", "import inbox_service"),
        (contracts_import_pydantic_only, "contracts.events", "import pydantic_settings"),
        (contracts_import_pydantic_only, "contracts.events", "from nats.aio import client"),
        (the_gateway_reaches_no_database_code, "push_gateway.app", "import asyncpg.pool"),
        (the_gateway_reaches_no_database_code, "push_gateway.app", "from chassis import database"),
        (the_gateway_reaches_no_database_code, "chassis.bus", "import chassis.database"),
        (the_gateway_reaches_no_database_code, "chassis", "from alembic import op"),
        (nobody_imports_what_is_for_development, "inbox_service.app", "from devstack.postgres import Postgres"),
        (nobody_imports_what_is_for_development, "chassis.process", "import devstack"),
        (nobody_imports_what_is_for_development, "inbox_service.api", "from handbook import shapes"),
        (subjects_are_spelled_in_one_place, "chassis.relay", 'subject = f"events.{user}.inbox"'),
        (subjects_are_spelled_in_one_place, "chassis.relay", 'subject = "relay." + service'),
        (subjects_are_spelled_in_one_place, "push_gateway.feed", 'PREFIX = b"push."'),
        (subjects_are_spelled_in_one_place, "chassis.streams", 'STREAM = "EVENTS"'),
        (subjects_are_spelled_in_one_place, "inbox_service.app", 'add_stream(name="DEADLETTERS")'),
        (modules_are_named_for_what_they_own, "chassis.utils", ""),
        (modules_are_named_for_what_they_own, "inbox_service.common.dates", ""),
        (nothing_is_connected_at_import, "chassis.database", "engine = create_async_engine(URL)"),
        (
            nothing_is_connected_at_import,
            "chassis.database",
            "engine = sqlalchemy.ext.asyncio.create_async_engine(URL)",
        ),
        (nothing_is_connected_at_import, "chassis.bus", "class Bus:\n    client = nats.aio.client.Client()"),
        (nothing_is_connected_at_import, "inbox_service.app", "SETTINGS = Settings()"),
        (nothing_is_connected_at_import, "inbox_service.app", "def f(auth=AuthSettings()): ..."),
        (nothing_is_connected_at_import, "inbox_service.app", "if True:\n    DATABASES = [Database(u) for u in URLS]"),
    ],
)
def test_a_house_that_breaks_a_rule_is_complained_about(rule: Rule, module: str, source: str) -> None:
    """By the rule that it breaks; and without that line there is nothing to complain about."""
    assert list(rule(built({}))) == []
    assert list(rule(built({module: source}))) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("inbox_service.app", "from chassis.database import Database\nfrom contracts import subjects\nimport fastapi"),
        ("inbox_service.app", "from inbox_service import models\nimport inbox_service.queries"),
        ("inbox_service.app", "def serve(): return Database(Settings().url)"),
        ("inbox_service.app", "if __name__ == '__main__':\n    Database(Settings().url)"),
        (
            "inbox_service.settings",
            "class Settings(BaseSettings):\n    model_config = SettingsConfigDict(extra='ignore')",
        ),
        ("chassis.bus", "make = lambda: Client()"),
        ("chassis.relay", '"""Publishes to EVENTS; see events.<user_id>.<source>."""\nKIND = "inbox:created"'),
        ("contracts.events", "import datetime, uuid, pydantic\nfrom collections.abc import Sequence"),
        ("push_gateway.app", "from chassis.bus import Bus\nfrom contracts.subjects import user_id"),
        ("devstack.run", "import chassis, inbox_service, asyncpg"),
    ],
)
def test_a_house_in_order_is_not_complained_about(module: str, source: str) -> None:
    """By no rule at all."""
    assert [complaint for rule in RULES for complaint in rule(built({module: source}))] == []
