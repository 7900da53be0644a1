"""Owns the blocks that cannot be run here: each by its exact text, why, and what is looked at instead."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from contracts.subjects import DEADLETTERS_STREAM, EVENTS_STREAM, INBOX_CONSUMER, PUSH_INSPECTION
from tests.deploy.reading import compose
from tests.docs.blocks import ROOT

Check = Callable[[str], None]


@dataclass(frozen=True)
class NotRun:
    """A block that is not run.

    Attributes:
        instead: looks at what can be looked at, and fails if it is wrong.
    """

    document: str
    text: str
    why: str
    instead: Check


def the_shell_can_read_it(text: str) -> None:
    """It is a program of the shell's."""
    subprocess.run(["bash", "-n", "-c", text], check=True)


def make_knows_it(text: str) -> None:
    """Each line says how `make` is called, and `make` knows what it would do."""
    for line in text.splitlines():
        subprocess.run([*shlex.split(line, comments=True), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def compose_has_it(text: str) -> None:
    """Each container that is named is one of the compose file's."""
    the_shell_can_read_it(text)
    named = re.findall(r"docker compose (?:run|exec) (?:-\S+ |\"\$\(id -u\)\" )*(\w+)", text)
    assert set(named) <= set(compose()["services"])
    assert "docker compose" in text


def kubernetes_has_it(text: str) -> None:
    """The jobs and the folder are there."""
    the_shell_can_read_it(text)
    manifests = "\n".join(path.read_text() for path in (ROOT / "deploy/kubernetes/base").glob("*.yaml"))
    jobs = re.findall(r"\b\w+-migrate\b", text)
    folders = re.findall(r"--kustomize (\S+)", text)
    assert jobs
    assert folders
    assert all(f"name: {job}\n" in manifests for job in jobs)
    assert all((ROOT / folder / "kustomization.yaml").is_file() for folder in folders)


def the_bus_has_it(text: str) -> None:
    """The streams, subjects and consumers that are named are ours."""
    the_shell_can_read_it(text)
    ours = {EVENTS_STREAM, DEADLETTERS_STREAM, INBOX_CONSUMER, PUSH_INSPECTION}
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        assert words[0] == "nats"
        named = [word for word in words[2:] if (word.isupper() and word not in ("N", "SEQ")) or "inbox-" in word]
        assert set(named) <= ours, line


def the_modules_run(text: str) -> None:
    """Each program that is named is there, and takes the options that it is given."""
    the_shell_can_read_it(text)
    for module, rest in re.findall(r"python -m (\w+)([^#\n]*)", text):
        assert (ROOT / module / "__main__.py").is_file()
        if options := re.findall(r"--\w+", rest):
            command = [sys.executable, "-m", module, "--help"]
            said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
            assert [option for option in options if option not in said] == []


NEEDS_AN_ENGINE = "it needs a container engine; deploy/smoke.sh does the same where there is one"
NEEDS_NATSCLI = "the nats command is a program of its own, which is not installed with the others"

NOT_RUN = [
    NotRun(
        "README.md",
        """\
make run     # starts everything; needs only Python 3.11 and prints the page's address
make test    # every test, against the real servers
""",
        "the tests are what it starts; tests/devstack/test_run.py runs what `make run` runs",
        make_knows_it,
    ),
    NotRun("docs/START.md", "make run\n", "tests/system/conftest.py runs the same without make", make_knows_it),
    NotRun(
        "README.md",
        """\
make check        # lint, format, strict types, secrets, known holes in dependencies
make fuzz         # strange input for whatever reads it, for FUZZ_SECONDS=180
make test         # every test; ARGS="tests/push_gateway -k resume" for some of them, ARGS=--cov for branch coverage
make latency      # the way from POST to frame, on the system that `make run` started
make load         # the gateway alone under load: ARGS=resume, silent, sweep or reads
make faults       # break a whole system of its own under load, in every way that we know
make bench        # pushing and whole jobs against peers in the same run: an hour, or a part of it
make scale        # how costs grow with users and subscriptions, and what ten million users would need
make psql DB=inbox
make keys         # of the bus, for a production system: DIR=/etc/tandem/nats-keys
make schemas      # contracts/schemas/ and docs/reference/ from the models
make docs         # the site of the documentation; ARGS=serve shows it
make lock         # the pinned requirements from requirements/*.in
""",
        "together they take an hour, install, and overwrite what is checked in",
        make_knows_it,
    ),
    NotRun(
        "docs/DEPLOY.md",
        """\
mkdir -p deploy/secrets
docker compose build
docker compose run --rm --no-deps --user "$(id -u)" secrets     # makes what only this deployment knows
TANDEM_HOST=tandem.example docker compose up --detach --wait
""",
        NEEDS_AN_ENGINE,
        compose_has_it,
    ),
    NotRun(
        "docs/DEPLOY.md",
        """\
for name in connection inbox; do
    docker compose exec -T postgres pg_dump -U postgres --format=custom "$name" > "$name.dump"
done
""",
        NEEDS_AN_ENGINE,
        compose_has_it,
    ),
    NotRun(
        "docs/DEPLOY.md",
        """\
kubectl delete job connection-migrate inbox-migrate --namespace tandem --ignore-not-found
kubectl apply --kustomize deploy/kubernetes/example
""",
        "it needs a cluster; tests/deploy/test_kubernetes.py checks what is applied",
        kubernetes_has_it,
    ),
    NotRun(
        "docs/INSPECT.md",
        """\
nats sub 'push.*.*'                               # live, for everybody; may miss some if it reads too slowly
nats sub 'push.alice.*' --headers-only
nats sub --stream EVENTS --since 1h               # from the stream
nats stream view EVENTS --subject 'events.alice.*' --since 1h
nats stream get EVENTS 4711
nats request inspect.push '{"user":"alice"}' --replies 0 --raw      # each gateway answers for itself
""",
        NEEDS_NATSCLI,
        the_bus_has_it,
    ),
    NotRun(
        "docs/INSPECT.md",
        """\
nats stream report
nats consumer info EVENTS inbox-service           # "unprocessed" messages and the acknowledgement floor
nats stream info EVENTS --json                    # its epoch is in config.metadata
""",
        NEEDS_NATSCLI,
        the_bus_has_it,
    ),
    NotRun(
        "docs/INSPECT.md",
        """\
nats stream view DEADLETTERS
nats stream get DEADLETTERS N                     # Dead-Letter-Reason, Dead-Letter-Subject, Dead-Letter-Sequence
nats stream rmm DEADLETTERS N                     # asks first
""",
        NEEDS_NATSCLI,
        the_bus_has_it,
    ),
    NotRun(
        "docs/MIGRATION.md",
        """\
NATS_URL=nats://127.0.0.1:4222 AUTH_SECRET=... python -m push_gateway
NATS_URL=nats://127.0.0.1:4222 MIRROR_REDIS_URL=redis://127.0.0.1:6379 python -m mirror
""",
        "it runs until it is stopped, and needs the old system's Redis; tests/mirror/test_mirror.py has both",
        the_modules_run,
    ),
    NotRun(
        "docs/MIGRATION.md",
        """\
python -m mirror --users users.txt --seconds 86400 > report.txt    # or until Ctrl-C; --json for programs
""",
        "it takes a day; tests/mirror/test_mirror.py does it in seconds",
        the_modules_run,
    ),
]
