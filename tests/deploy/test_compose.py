"""The deployment on one machine. Each rule takes the compose file as data and gives its complaints; it is tried on a
file that breaks it too."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import check_jsonschema
import jsonschema
import pytest
import yaml
from pydantic_settings import BaseSettings

import push_gateway.settings
from chassis.environment import SUFFIX, is_secret
from chassis.settings import load
from tests.deploy import reading
from tests.deploy.reading import ROOT, SECRETS, Document

SCHEMA = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
FLOORS = {"postgres": (18,), "prom/prometheus": (3,), "grafana/grafana": (12,), "jaegertracing/jaeger": (2,)}
PORTS = {"inbox": 8001, "connection": 8002, "push": 8003}

Rule = Callable[[Document], Iterator[str]]


def is_job(service: Document) -> bool:
    """Whether it does something and ends."""
    return service["restart"] in {"no", "on-failure"}


def seconds(text: object) -> float:
    found = re.fullmatch(r"(\d+)s", str(text))
    return float(found[1]) if found else 0


def process_of(service: Document) -> tuple[str, bool] | None:
    """The module that a service runs and whether it migrates; None if it is none of ours."""
    words = [*service.get("entrypoint", []), *service.get("command", [])]
    module = next((word for word in words if word in reading.SERVING), None)
    return (module, "migrate" in words) if module else None


def nobody_is_root(file: Document) -> Iterator[str]:
    for name, service in file["services"].items():
        if str(service.get("user", "0")).partition(":")[0] in {"", "0", "root"}:
            yield f"{name} runs as root"
        if service.get("privileged") or service.get("cap_drop") != ["ALL"]:
            yield f"{name} keeps capabilities"
        if set(service.get("cap_add", [])) - {"NET_BIND_SERVICE"}:
            yield f"{name} adds capabilities"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name} may gain privileges"


def nobody_writes_to_the_image(file: Document) -> Iterator[str]:
    for name, service in file["services"].items():
        if not service.get("read_only"):
            yield f"{name} writes to its own file system"
        if "/tmp" not in service.get("tmpfs", []) and not name.startswith("nats-") and name != "prometheus":  # noqa: S108
            yield f"{name} has no /tmp"


def images_are_pinned(file: Document) -> Iterator[str]:
    for name, service in file["services"].items():
        image, _, tag = service["image"].rpartition(":")
        version = tuple(int(part) for part in re.findall(r"\d+", tag.partition("-")[0]))
        if "build" not in service and (len(version) < 2 or version < FLOORS[image]):
            yield f"{name} runs {service['image']}"


def everything_is_limited(file: Document) -> Iterator[str]:
    for name, service in file["services"].items():
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        yield from (f"{name} has no limit of {what}" for what in ("cpus", "memory", "pids") if what not in limits)
        if "max-size" not in service.get("logging", {}).get("options", {}):
            yield f"{name} may fill the disk with its log"


def what_runs_has_a_health_check(file: Document) -> Iterator[str]:
    for name, service in file["services"].items():
        if not is_job(service) and "test" not in service.get("healthcheck", {}):
            yield f"{name} has no health check"
        module = process_of(service)
        if module and not is_job(service):
            url = f"http://127.0.0.1:{PORTS[name]}/readyz"
            if service["healthcheck"]["test"] != ["CMD", "python", "-m", "chassis.probe", url]:
                yield f"{name} is not asked at {url}"


def nobody_starts_too_early(file: Document) -> Iterator[str]:
    for name, service in file["services"].items():
        for other, how in service.get("depends_on", {}).items():
            job = is_job(file["services"][other])
            if how.get("condition") != ("service_completed_successfully" if job else "service_healthy"):
                yield f"{name} does not wait until {other} is ready"
        module = process_of(service)
        if module and not is_job(service) and "nats-1" not in service.get("depends_on", {}):
            yield f"{name} does not wait for NATS"


def a_stop_is_waited_for(file: Document) -> Iterator[str]:
    for name, service in file["services"].items():
        if not is_job(service) and not service.get("profiles") and seconds(service.get("stop_grace_period")) < 15:
            yield f"{name} is killed while it stops"
    push = file["services"]["push"]
    if seconds(push["stop_grace_period"]) < float(push["environment"]["PUSH_DRAIN"]) + 10:
        yield "push is killed while it drains"


def every_variable_is_a_setting(file: Document) -> Iterator[str]:
    for name, service in file["services"].items():
        process = process_of(service)
        if process:
            module, migrating = process
            known = reading.variables_of(reading.settings_of(module, migrating=migrating))
            for variable in set(service["environment"]) - known:
                yield f"{name} is given {variable}, which nobody reads"


def secrets_are_files(file: Document) -> Iterator[str]:
    for name, service in file["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search("SECRET|PASSWORD|SEED|DATABASE_URL", variable):
                if not variable.endswith(SUFFIX):
                    yield f"{name} has {variable} in its environment"
                elif str(value).removeprefix("/run/secrets/") not in service.get("secrets", []):
                    yield f"{name} is not given the file of {variable}"
        yield from (f"{name} is given {secret}, which there is not" for secret in service.get("secrets", [])
                    if secret not in file["secrets"])  # fmt: skip


def nothing_is_for_development(file: Document) -> Iterator[str]:
    text = yaml.safe_dump(file)
    yield from (f"{word} is set" for word in ("AUTH_DEV", "FAILPOINT", "CONTROL_URL") if word in text)


def what_is_mounted_is_there(file: Document) -> Iterator[str]:
    named = {part["file"] for part in file["secrets"].values()}
    for service in file["services"].values():
        named |= {mount.split(":")[0] for mount in service.get("volumes", []) if mount.startswith("./")}
        named |= {part["path"] for part in service.get("env_file", [])}
    for path in sorted(str(Path(path)) for path in named):
        made = (ROOT / path).is_relative_to(SECRETS)
        if not made and not (ROOT / path).exists():
            yield f"{path} is not there"
    for service in file["services"].values():
        for volume in (mount.split(":")[0] for mount in service.get("volumes", []) if mount[0] not in "./"):
            if volume not in file["volumes"]:
                yield f"the volume {volume} is not there"


def only_the_edge_is_reached_from_outside(file: Document) -> Iterator[str]:
    for name, service in file["services"].items():
        for port in service.get("ports", []):
            if name != "edge" and not str(port).startswith("127.0.0.1:"):
                yield f"{name} is published at {port}"


def data_is_inside(file: Document) -> Iterator[str]:
    if not file["networks"]["inside"]["internal"]:
        yield "the network inside has a way out"
    for name, service in file["services"].items():
        if name.startswith(("nats-", "postgres")) and service["networks"] != ["inside"]:
            yield f"{name} can be reached by whoever is outside"


def the_gateway_may_open_its_sockets(file: Document) -> Iterator[str]:
    most = push_gateway.settings.Settings.model_fields["max_sockets"].default
    for name, each in (("push", 1), ("edge", 2)):
        if file["services"][name].get("ulimits", {}).get("nofile", 1024) <= each * most:
            yield f"{name} may not open as many files as there are sockets"


RULES: list[Rule] = [
    nobody_is_root,
    nobody_writes_to_the_image,
    images_are_pinned,
    everything_is_limited,
    what_runs_has_a_health_check,
    nobody_starts_too_early,
    a_stop_is_waited_for,
    every_variable_is_a_setting,
    secrets_are_files,
    nothing_is_for_development,
    what_is_mounted_is_there,
    only_the_edge_is_reached_from_outside,
    data_is_inside,
    the_gateway_may_open_its_sockets,
]


@pytest.fixture(scope="module")
def schema() -> Any:
    """The one of the Compose Specification."""
    text = json.loads(SCHEMA.read_text())
    return jsonschema.validators.validator_for(text)(text)


def test_the_file_is_one_of_compose(schema: Any) -> None:
    """And a name that compose does not know would be found."""
    assert [error.message for error in schema.iter_errors(reading.compose())] == []
    broken = reading.compose()
    broken["services"]["push"]["health_check"] = {}
    assert not schema.is_valid(broken)


@pytest.mark.parametrize("rule", RULES)
def test_the_deployment_keeps_the_rule(rule: Rule) -> None:
    """The complaints say where to look."""
    assert list(rule(reading.compose())) == []


BROKEN: list[tuple[Rule, str, object]] = [
    (nobody_is_root, "services.push.user", "0:0"),
    (nobody_is_root, "services.postgres.user", None),
    (nobody_is_root, "services.push.cap_drop", []),
    (nobody_is_root, "services.push.cap_add", ["SYS_ADMIN"]),
    (nobody_is_root, "services.push.security_opt", []),
    (nobody_writes_to_the_image, "services.inbox.read_only", False),
    (nobody_writes_to_the_image, "services.push.tmpfs", []),
    (images_are_pinned, "services.postgres.image", "postgres:latest"),
    (images_are_pinned, "services.postgres.image", "postgres:17.9"),
    (images_are_pinned, "services.grafana.image", "grafana/grafana:12"),
    (everything_is_limited, "services.edge.deploy", None),
    (everything_is_limited, "services.inbox-migrate.deploy.resources.limits.memory", None),
    (everything_is_limited, "services.push.logging", None),
    (what_runs_has_a_health_check, "services.postgres.healthcheck", None),
    (what_runs_has_a_health_check, "services.push.healthcheck.test", ["CMD", "true"]),
    (nobody_starts_too_early, "services.edge.depends_on.push.condition", "service_started"),
    (nobody_starts_too_early, "services.inbox.depends_on.inbox-migrate.condition", "service_healthy"),
    (nobody_starts_too_early, "services.push.depends_on", None),
    (a_stop_is_waited_for, "services.push.environment.PUSH_DRAIN", 25),
    (a_stop_is_waited_for, "services.postgres.stop_grace_period", None),
    (every_variable_is_a_setting, "services.push.environment.PUSH_SOCKETS_MAX", 1),
    (every_variable_is_a_setting, "services.inbox-migrate.environment.AUTH_ISSUER", "me"),
    (secrets_are_files, "services.push.environment.AUTH_SECRET", "in the clear"),
    (secrets_are_files, "services.push.secrets", ["push_seed"]),
    (secrets_are_files, "secrets.push_seed", None),
    (nothing_is_for_development, "services.inbox.environment.AUTH_DEV", "1"),
    (what_is_mounted_is_there, "services.nats-1.volumes", ["./deploy/nuts:/etc/nats:ro"]),
    (what_is_mounted_is_there, "volumes.rows", None),
    (only_the_edge_is_reached_from_outside, "services.push.ports", ["8003:8003"]),
    (data_is_inside, "networks.inside.internal", False),
    (data_is_inside, "services.postgres.networks", ["inside", "outside"]),
    (the_gateway_may_open_its_sockets, "services.push.ulimits", None),
]


@pytest.mark.parametrize(("rule", "place", "value"), BROKEN)
def test_a_deployment_that_breaks_a_rule_is_complained_about(rule: Rule, place: str, value: object) -> None:
    """By the rule that it breaks; None takes away what is there."""
    file = reading.compose()
    *way, last = place.split(".")
    inner = file
    for step in way:
        inner = inner[step]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    assert list(rule(file)) != []


def test_every_rule_is_tried() -> None:
    """One that nothing breaks may hold for the wrong reason."""
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


def test_compose_needs_nothing_to_be_set() -> None:
    """Each variable has a default: `docker compose up` without any warns of none."""
    assert reading.without_default() == []


@pytest.mark.parametrize("name", ["connection", "inbox", "push", "connection-migrate", "inbox-migrate", "inspector"])
def test_a_service_can_read_what_it_is_given(name: str, monkeypatch: pytest.MonkeyPatch, made_secrets: Path) -> None:
    """Every setting that it needs is there, with a value that it takes, and the ports are those that it is asked at."""
    file = reading.compose()
    service = file["services"][name]
    process = process_of(service)
    assert process is not None
    for part in reading.settings_of(process[0], migrating=process[1]):
        for variable in reading.variables_of((part,)):
            monkeypatch.delenv(variable, raising=False)
    for variable, value in service["environment"].items():
        text = str(value)
        if is_secret(variable) and text.startswith("/run/secrets/"):
            text = str(made_secrets / Path(file["secrets"][Path(text).name]["file"]).name)
        monkeypatch.setenv(variable, text)
    given: list[BaseSettings] = [load(part) for part in reading.settings_of(process[0], migrating=process[1])]
    port = getattr(given[0], "port", None)
    assert process[1] or port is None or port == PORTS[name]


@pytest.mark.parametrize("profile", ["cluster", "observe"])
def test_what_a_profile_sets_is_asked_for(profile: str) -> None:
    """A variable with another name would leave everything as it was."""
    lines = (ROOT / "deploy" / f"{profile}.env").read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if not line.startswith("#")}
    assert names
    text = reading.COMPOSE.read_text()
    assert [name for name in sorted(names) if f"${{{name}:-" not in text] == []
