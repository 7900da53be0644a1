"""The manifests for Kubernetes. Each rule takes the objects as data and gives its complaints; it is tried on some that
break it too."""

import copy
import functools
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from chassis.environment import SUFFIX, is_secret
from chassis.settings import load
from tests.deploy import reading
from tests.deploy.reading import KUBERNETES, Document

VERSIONS = ("1.34", "1.37")
"""Of Kubernetes: that the field `preStop.sleep` is for everybody since, and the newest whose schemas are here."""

PORTS = {"inbox": 8001, "connection": 8002, "push": 8003}
MOUNT = "/run/secrets/tandem/"

Objects = list[Document]
Rule = Callable[[Objects], Iterator[str]]


@functools.cache
def _objects() -> Objects:
    return [document for folder in ("base", "example") for _, document in reading.manifests(KUBERNETES / folder)]


def objects() -> Objects:
    """Every object of the base and the overlay; a copy to do with as one likes."""
    return copy.deepcopy(_objects())


def shared() -> dict[str, str]:
    """The variables that every service is given."""
    (made,) = reading.kustomization(KUBERNETES / "base")["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in made["literals"])


def of_kind(kind: str, given: Objects) -> dict[str, Document]:
    return {document["metadata"]["name"]: document for document in given if document["kind"] == kind}


def pods(given: Objects) -> Iterator[tuple[str, Document, Document]]:
    """The name of each workload, what its pods are, and their one container."""
    for document in given:
        if document["kind"] in {"Deployment", "Job"}:
            pod = document["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            yield document["metadata"]["name"], pod, container


def own(container: Document) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


def nobody_is_root(given: Objects) -> Iterator[str]:
    for name, pod, container in pods(given):
        context = pod.get("securityContext", {})
        if not context.get("runAsNonRoot") or not context.get("runAsUser"):
            yield f"{name} may run as root"
        inner = container.get("securityContext", {})
        if inner.get("allowPrivilegeEscalation") is not False or inner.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name} may gain privileges"
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{name} may call Kubernetes"


def nobody_writes_to_the_image(given: Objects) -> Iterator[str]:
    for name, pod, container in pods(given):
        if not container.get("securityContext", {}).get("readOnlyRootFilesystem"):
            yield f"{name} writes to its own file system"
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        temporary = [volume["name"] for volume in pod["volumes"] if "emptyDir" in volume]
        if mounts.get("/tmp") not in temporary:  # noqa: S108
            yield f"{name} has no /tmp"


def nobody_is_given_the_addresses_of_others(given: Objects) -> Iterator[str]:
    for name, pod, _ in pods(given):
        if pod.get("enableServiceLinks") is not False:
            yield f"{name} is given INBOX_PORT=tcp://..., for the service of that name"


def everything_is_limited(given: Objects) -> Iterator[str]:
    for name, _, container in pods(given):
        resources = container.get("resources", {})
        for kind in ("requests", "limits"):
            if {"cpu", "memory"} - set(resources.get(kind, {})):
                yield f"{name} has no {kind}"


def images_are_pinned(given: Objects) -> Iterator[str]:
    for name, _, container in pods(given):
        if not re.fullmatch(r"tandem:\d+\.\d+\.\d+", container["image"]):
            yield f"{name} runs {container['image']}"


def health_is_asked_as_decided(given: Objects) -> Iterator[str]:
    for name in of_kind("Deployment", given):
        (container,) = (container for other, _, container in pods(given) if other == name)
        wanted = {
            "startupProbe": "/readyz",
            "readinessProbe": "/readyz" if name == "push" else "/healthz",
            "livenessProbe": "/healthz",
        }
        for probe, path in wanted.items():
            asked = container.get(probe, {}).get("httpGet", {})
            if asked != {"path": path, "port": "http"}:
                yield f"{name} has {asked} as its {probe}"


def ports_agree(given: Objects) -> Iterator[str]:
    for name, _, container in pods(given):
        if name in PORTS:
            variable = own(container).get(f"{name.upper()}_PORT")
            service = of_kind("Service", given)[name]["spec"]["ports"]
            if (
                container["ports"] != [{"name": "http", "containerPort": PORTS[name]}]
                or variable != str(PORTS[name])
                or service != [{"name": "http", "port": PORTS[name], "targetPort": "http"}]
            ):
                yield f"{name} listens on {container['ports']}, is told {variable} and found at {service}"


def a_stop_is_waited_for(given: Objects) -> Iterator[str]:
    for name, pod, container in pods(given):
        if name in PORTS:
            pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            work = float(shared()["PUSH_DRAIN"]) + 10 if name == "push" else 10
            if not pause or pod.get("terminationGracePeriodSeconds", 30) < pause + work:
                yield f"{name} is killed while it stops, or sent requests"


def one_copy_at_a_time_is_taken_away(given: Objects) -> Iterator[str]:
    for name, deployment in of_kind("Deployment", given).items():
        budget = of_kind("PodDisruptionBudget", given).get(name, {"spec": {}})["spec"]
        if budget.get("maxUnavailable") != 1 or deployment["spec"]["replicas"] < 2:
            yield f"{name} may be gone"
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        chosen = (budget.get("selector"), of_kind("Service", given)[name]["spec"]["selector"])
        if chosen != ({"matchLabels": labels}, labels):
            yield f"{name} is not what is chosen by {chosen}"


def every_variable_is_a_setting(given: Objects) -> Iterator[str]:
    for name, _, container in pods(given):
        module, migrating = container["args"][0], "migrate" in container["args"]
        known = reading.variables_of(reading.settings_of(module, migrating=migrating))
        yield from (f"{name} is given {variable}, which nobody reads" for variable in set(own(container)) - known)
    everybody = set().union(*(reading.variables_of(settings) for settings in reading.SERVING.values()))
    yield from (f"nobody reads {variable}" for variable in set(shared()) - everybody)


def secrets_are_files(given: Objects) -> Iterator[str]:
    for name, pod, container in pods(given):
        (files,) = (volume["secret"]["items"] for volume in pod["volumes"] if "secret" in volume)
        there = {item["path"] for item in files}
        for variable, value in {**own(container), **(shared() if "envFrom" in container else {})}.items():
            if re.search("SECRET|SEED|DATABASE_URL", variable):
                if not variable.endswith(SUFFIX):
                    yield f"{name} has {variable} in its environment"
                elif value.removeprefix(MOUNT) not in there:
                    yield f"{name} is not given the file of {variable}"


def nothing_is_for_development(given: Objects) -> Iterator[str]:
    yield from (f"{word} is set" for word in ("AUTH_DEV", "FAILPOINT") if word in f"{given} {shared()}")


RULES: list[Rule] = [
    nobody_is_root,
    nobody_writes_to_the_image,
    nobody_is_given_the_addresses_of_others,
    everything_is_limited,
    images_are_pinned,
    health_is_asked_as_decided,
    ports_agree,
    a_stop_is_waited_for,
    one_copy_at_a_time_is_taken_away,
    every_variable_is_a_setting,
    secrets_are_files,
    nothing_is_for_development,
]


@pytest.mark.parametrize("rule", RULES)
def test_the_manifests_keep_the_rule(rule: Rule) -> None:
    """The complaints say where to look."""
    assert list(rule(objects())) == []


POD = "Deployment.push.spec.template.spec"
CONTAINER = f"{POD}.containers.0"
BROKEN: list[tuple[Rule, str, object]] = [
    (nobody_is_root, f"{POD}.securityContext", {}),
    (nobody_is_root, "Job.inbox-migrate.spec.template.spec.securityContext.runAsUser", 0),
    (nobody_is_root, f"{CONTAINER}.securityContext.capabilities", {}),
    (nobody_is_root, f"{POD}.automountServiceAccountToken", True),
    (nobody_writes_to_the_image, f"{CONTAINER}.securityContext.readOnlyRootFilesystem", False),
    (nobody_writes_to_the_image, f"{CONTAINER}.volumeMounts", []),
    (nobody_is_given_the_addresses_of_others, f"{POD}.enableServiceLinks", True),
    (everything_is_limited, f"{CONTAINER}.resources", {}),
    (images_are_pinned, f"{CONTAINER}.image", "tandem"),
    (health_is_asked_as_decided, f"{CONTAINER}.readinessProbe.httpGet.path", "/healthz"),
    (health_is_asked_as_decided, f"{CONTAINER}.startupProbe", {}),
    (ports_agree, f"{CONTAINER}.env", []),
    (ports_agree, "Service.push.spec.ports", [{"name": "http", "port": 80, "targetPort": "http"}]),
    (a_stop_is_waited_for, f"{POD}.terminationGracePeriodSeconds", 30),
    (a_stop_is_waited_for, f"{CONTAINER}.lifecycle", {}),
    (one_copy_at_a_time_is_taken_away, "Deployment.push.spec.replicas", 1),
    (one_copy_at_a_time_is_taken_away, "PodDisruptionBudget.push.spec.maxUnavailable", "100%"),
    (one_copy_at_a_time_is_taken_away, "PodDisruptionBudget.push.spec.selector.matchLabels", {"app": "inbox"}),
    (every_variable_is_a_setting, f"{CONTAINER}.env", [{"name": "PUSH_SOCKETS_MAX", "value": "1"}]),
    (secrets_are_files, f"{CONTAINER}.env", [{"name": "AUTH_SECRET", "value": "in the clear"}]),
    (secrets_are_files, f"{POD}.volumes.0.secret.items", []),
    (nothing_is_for_development, f"{CONTAINER}.env", [{"name": "AUTH_DEV", "value": "1"}]),
]


@pytest.mark.parametrize(("rule", "place", "value"), BROKEN)
def test_manifests_that_break_a_rule_are_complained_about(rule: Rule, place: str, value: object) -> None:
    """By the rule that they break."""
    given = objects()
    kind, name, *way, last = place.split(".")
    inner: Any = of_kind(kind, given)[name]
    for step in way:
        inner = inner[int(step)] if step.isdigit() else inner[step]
    inner[last] = value
    assert list(rule(given)) != []


def test_every_rule_is_tried() -> None:
    """One that nothing breaks may hold for the wrong reason."""
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_one_of_kubernetes(version: str) -> None:
    """By its schemas, to which a name that they do not know is an error."""
    for document in objects():
        kubernetes_validate.validate(document, version, strict=True)
    broken = of_kind("Deployment", objects())["push"]
    broken["spec"]["template"]["spec"]["gracePeriod"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, version, strict=True)


@pytest.mark.parametrize("folder", ["base", "example"])
def test_kustomize_is_told_of_every_file(folder: str) -> None:
    """And of none that is not there."""
    listed = reading.kustomization(KUBERNETES / folder)["resources"]
    assert all((KUBERNETES / folder / name).exists() for name in listed)
    there = {file.name for file in (KUBERNETES / folder).iterdir()} - {"kustomization.yaml"}
    assert there <= set(listed)


def test_the_overlay_changes_only_what_is_there() -> None:
    """A variable or a name that is spelled otherwise would change nothing."""
    overlay = reading.kustomization(KUBERNETES / "example")
    (merged,) = overlay["configMapGenerator"]
    assert {literal.partition("=")[0] for literal in merged["literals"]} <= set(shared())
    assert {change["name"] for change in overlay["replicas"]} <= set(of_kind("Deployment", objects()))
    assert {image["name"] for image in overlay["images"]} == {"tandem"}


def test_kustomize_builds_the_overlay() -> None:
    """Where there is one to ask: the base with the overlay's name space, image and configuration."""
    command = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
    if not shutil.which(command[0]):
        pytest.skip("neither kustomize nor kubectl is installed")
    built = subprocess.run([*command, KUBERNETES / "example"], capture_output=True, text=True, check=True).stdout
    assert built.count("image: registry.example/tandem:0.1.0") == 5
    assert built.count("namespace: tandem") == built.count("\nkind: ") + built.startswith("kind: ")


@pytest.mark.parametrize("name", ["connection", "inbox", "push", "connection-migrate", "inbox-migrate"])
def test_a_pod_can_read_what_it_is_given(name: str, monkeypatch: pytest.MonkeyPatch, made_secrets: Path) -> None:
    """Every setting that it needs is there, with a value that it takes."""
    (container,) = (container for other, _, container in pods(objects()) if other == name)
    module, migrating = container["args"][0], "migrate" in container["args"]
    settings = reading.settings_of(module, migrating=migrating)
    for variable in reading.variables_of(settings):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in {**own(container), **({} if migrating else shared())}.items():
        where = str(made_secrets / value.removeprefix(MOUNT).replace("_seed", ".seed"))
        monkeypatch.setenv(variable, where if is_secret(variable) and value.startswith(MOUNT) else value)
    for part in settings:
        load(part)
