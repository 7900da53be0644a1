"""The images: what goes into them is there, and nothing else does. Each rule takes the Dockerfile and .dockerignore; it
is tried on ones that break it too."""

import functools
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

import pytest

from tests.deploy import reading
from tests.deploy.reading import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text()
FLOORS = {"python": (3, 11), "nats": (2, 14, 3), "caddy": (2, 10)}
NOT_DEPLOYED = {"devstack", "bench", "handbook"}

Rule = Callable[[str, str], Iterator[str]]


def is_sent(path: str, ignored: str) -> bool:
    """Whether the engine is sent a file: the last line of .dockerignore that fits it, or a folder above it, decides."""
    names = [path, *map(str, PurePosixPath(path).parents)]
    sent = True
    for line in ignored.splitlines():
        pattern = line.strip().removeprefix("!")
        if pattern and not line.startswith("#") and any(_fits(name, pattern) for name in names):
            sent = line.startswith("!")
    return sent


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return _fits(PurePosixPath(path).name, pattern.removeprefix("**/"))
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


@functools.cache
def tracked() -> list[str]:
    """Every file of the repository, and none that is only on somebody's disk."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this is no git repository, so nobody knows which files are its own")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def stages(dockerfile: str) -> dict[str, str]:
    """What stands in each stage, by its name."""
    found = re.split(r"^FROM (\S+) AS (\w+)$", dockerfile, flags=re.MULTILINE)
    return dict(zip(found[2::3], found[3::3], strict=True))


def sources(dockerfile: str) -> Iterator[str]:
    """What is copied from the repository."""
    for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE):
        yield from line.split()[:-1]


def what_is_copied_is_there(dockerfile: str, ignored: str) -> Iterator[str]:
    files = tracked()
    for source in sources(dockerfile):
        below = [file for file in files if file == source or file.startswith(f"{source}/")]
        if not below:
            yield f"{source} is not in the repository"
        elif not any(is_sent(file, ignored) for file in below):
            yield f"{source} is not sent to the engine"


def all_code_is_copied(dockerfile: str, ignored: str) -> Iterator[str]:
    copied = set(sources(dockerfile))
    packages = {file.parent.name for file in ROOT.glob("*/__init__.py")} - NOT_DEPLOYED
    yield from (f"{package} is not in the image" for package in sorted(packages - copied))
    for file in tracked():
        if file.partition("/")[0] in packages and not is_sent(file, ignored):
            yield f"{file} is not sent to the engine"


def nothing_private_is_sent(dockerfile: str, ignored: str) -> Iterator[str]:
    for path in (
        *("deploy/secrets/auth_secret", ".data/auth-secret", ".env", ".git/config", ".venv/bin/python"),
        *("web/node_modules/react/index.js", "web/demo/page.js", "web/index.html", "tests/conftest.py"),
        *("devstack/run.py", "chassis/__pycache__/http.cpython-311.pyc"),
    ):
        if is_sent(path, ignored):
            yield f"{path} is sent to the engine"


def images_are_pinned(dockerfile: str, ignored: str) -> Iterator[str]:
    for image in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE):
        name, _, tag = image.partition(":")
        version = tuple(int(part) for part in re.findall(r"\d+", tag.partition("-")[0]))
        if len(version) < 3 or version < FLOORS[name]:
            yield f"{image} is not pinned, or below the floor"


def no_image_is_root(dockerfile: str, ignored: str) -> Iterator[str]:
    for name, text in stages(dockerfile).items():
        user = (re.findall(r"^USER (\S+)", text, re.MULTILINE) or ["0"])[-1]
        if name != "build" and user.partition(":")[0] in {"0", "root"}:
            yield f"{name} runs as root"


def what_compose_builds_is_there(dockerfile: str, ignored: str) -> Iterator[str]:
    for name, service in reading.compose()["services"].items():
        if "build" in service:
            target = stages(dockerfile).get(service["build"]["target"], "")
            if f"USER {service['user']}" not in target:
                yield f"{name} is built from another stage than there is, or runs as another account"


RULES: list[Rule] = [
    what_is_copied_is_there,
    all_code_is_copied,
    nothing_private_is_sent,
    images_are_pinned,
    no_image_is_root,
    what_compose_builds_is_there,
]


@pytest.mark.parametrize("rule", RULES)
def test_the_images_keep_the_rule(rule: Rule) -> None:
    """The complaints say where to look."""
    assert list(rule(DOCKERFILE, IGNORED)) == []


BROKEN: list[tuple[Rule, str, str]] = [
    (what_is_copied_is_there, "COPY chassis chassis", "COPY chasis chassis"),
    (what_is_copied_is_there, "!requirements/runtime.txt", ""),
    (all_code_is_copied, "COPY contracts contracts", ""),
    (all_code_is_copied, "!bus_inspector", ""),
    (nothing_private_is_sent, "!web/icon.svg", "!web"),
    (nothing_private_is_sent, "**/__pycache__", ""),
    (nothing_private_is_sent, "!deploy/make_secrets.py", "!deploy"),
    (images_are_pinned, "FROM python:3.11.17-slim AS build", "FROM python:3.11 AS build"),
    (images_are_pinned, "FROM nats:2.15.1-alpine", "FROM nats:2.14.2-alpine"),
    (no_image_is_root, "USER 10001:10001", ""),
    (no_image_is_root, "USER 1000:1000", "USER root"),
    (what_compose_builds_is_there, "AS edge", "AS front"),
    (what_compose_builds_is_there, "USER 10001:10001", "USER 10002:10002"),
]


@pytest.mark.parametrize(("rule", "line", "instead"), BROKEN)
def test_images_that_break_a_rule_are_complained_about(rule: Rule, line: str, instead: str) -> None:
    """By the rule that they break."""
    assert line in DOCKERFILE + IGNORED
    assert list(rule(DOCKERFILE.replace(line, instead), IGNORED.replace(line, instead))) != []


def test_every_rule_is_tried() -> None:
    """One that nothing breaks may hold for the wrong reason."""
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


def test_the_edge_has_every_file_of_the_library() -> None:
    """And no file of the demo page, which needs tokens of development."""
    web = {file for file in tracked() if file.startswith("web/") and is_sent(file, IGNORED)}
    assert {"web/realtime.js", "web/inbox.js", "web/api.js", "web/tandem-inbox.js", "web/tandem-inbox/row.js"} <= web
    library = {file for file in tracked() if file.startswith("web/tandem-inbox/")}
    assert library <= web
    assert not any("demo" in file or file.endswith((".json", ".html", ".md")) for file in web)
