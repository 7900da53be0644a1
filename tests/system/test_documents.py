"""The commands and statements of the documents, typed in as they stand there, beside a running system."""

import asyncio
import os
import re

import pytest

from devstack.settings import PORTS
from handbook import http
from tests.docs.blocks import ROOT, SHELL, of_language
from tests.docs.not_run import NOT_RUN
from tests.docs.runners import SHELL as SESSIONS
from tests.system.conftest import People, as_environment
from tests.system.device import PATIENCE
from tests.system.system import System

pytestmark = pytest.mark.long

NAMED = re.compile(r"\b(alice|bob|carol|dave|eve)\b")

ITEM_ID = "ITEM_ID"
"""What a reader has seen somewhere: the id of an item."""

BEFORE = r"""
set -euo pipefail
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
make() { command make --old-file=.venv/.installed-stack "$@"; }  # what is installed is what the tests run with
again() { local said; until said=$("${@:2}") && grep -q "$1" <<< "$said"; do :; done; echo "$said"; }  # as people look
interrupted() {  # by Ctrl-C, once it has said something
    local pipe line; pipe=$(mktemp -u); mkfifo "$pipe"; set -m
    "$@" > "$pipe" &
    exec 3< "$pipe"; read -r line <&3; echo "$line"
    kill -INT %%; wait %% || test $? = 130
    exec 3<&-; set +m; rm "$pipe"
}
"""


def typed(document: str, system: System, people: People) -> str:
    """All commands of a document as one session with this system, in which each name is somebody new."""
    unrun = [each.text for each in NOT_RUN if each.document == document]
    text = "\n".join(block for block in of_language(document, SHELL) if block not in unrun)
    for said, meant in SESSIONS[document].replaced.items():
        assert said in text, f"{document} no longer says {said!r}"
        text = text.replace(said, meant)
    for variable, port in PORTS.items():
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{system.settings.ports[variable]}")
    text = re.sub(r"(\$PWD/)?\.data/", f"{system.settings.data_dir}/", text)
    who = {name: people.someone(name) for name in NAMED.findall(text)}
    return BEFORE + NAMED.sub(lambda name: who[name[1]], text)


async def run(script: str, system: System, item: str) -> str:
    """What the session prints; every command of it must end well."""
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    of_system = {
        **as_environment(system.settings),
        "NATS_URL": system.nats,
        "NATS_NKEY_SEED_FILE": str(system.bus_keys.seed_file("inspector")),
        "INBOX_DATABASE_URL": system.postgres.url("inbox"),
        "CONNECTION_DATABASE_URL": system.postgres.url("connection"),
    }
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-c", script),
        cwd=ROOT,
        env={**inherited, **of_system, ITEM_ID: item},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(2 * PATIENCE):
            printed = (await shell.communicate())[0].decode()
    finally:
        if shell.returncode is None:  # it takes with it what it has started
            shell.terminate()
            await shell.wait()
    assert shell.returncode == 0, f"{script}\n\n{printed}"
    return printed


@pytest.mark.parametrize("document", SESSIONS)
async def test_the_commands_of_a_document_do_it(document: str, system: System, people: People) -> None:
    """In one session, from top to bottom, with other ports and names."""
    script = typed(document, system, people)
    alice = re.search(r"\balice-\w+", script)
    item = await system.item(alice[0] if alice else people.someone("alice"))
    printed = await run(script, system, item["id"])
    print(printed)
    for pattern in SESSIONS[document].prints:
        assert re.search(pattern, printed), pattern


async def test_the_statements_of_a_document_are_executed(system: System, people: People) -> None:
    """By psql, on either database, for an item that there is."""
    item = await system.item(people.someone("alice"))
    statements = "\n".join(of_language("docs/INSPECT.md", "sql")).replace(ITEM_ID, item["id"])
    assert "|insert|" in await system.sql("inbox", statements)
    assert "|insert|" not in await system.sql("connection", statements)


async def test_the_reference_is_what_the_services_serve(system: System) -> None:
    """It is made without running them."""
    urls = {
        "connection_service": system.connection.removesuffix("/v1"),
        "inbox_service": system.inbox.removesuffix("/v1/inbox"),
    }
    served = {name: (await system.http.get(f"{url}/openapi.json")).json() for name, url in urls.items()}
    assert http.page(served) == (ROOT / "docs/reference/http.md").read_text("utf-8")
