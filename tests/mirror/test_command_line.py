"""`python -m mirror`: what cannot be meant is one line, and the report is printed in the end."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from devstack.nats import Nats
from mirror.__main__ import watched
from mirror.comparing import Hearing, Sending, identity
from mirror.errors import BadInput
from mirror.observing import Record, Watched
from mirror.report import lines, report

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


async def run(*arguments: str, code: int, **variables: str) -> tuple[str, list[str]]:
    """What it prints, and the lines of its complaints; it must end with `code`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mirror", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT)},
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert process.returncode == code, err.decode()
    return out.decode(), err.decode().splitlines()


@pytest.mark.parametrize("arguments", [("--seconds", "soon"), ("--users", "/no/such/file"), ("surplus",)])
async def test_what_cannot_be_meant_ends_with_exit_code_2(arguments: tuple[str, ...]) -> None:
    """Before anything is connected to."""
    out, err = await run(*arguments, code=2, MIRROR_REDIS_URL="redis://127.0.0.1:1")
    assert out == ""
    assert arguments[-1] in err[-1]


async def test_a_wrong_variable_is_named_without_its_secret() -> None:
    """One that is missing, too."""
    _, err = await run(code=2, MIRROR_REDIS_URL="http://alice:secret@127.0.0.1", MIRROR_USER_PREFIX="a.b")
    assert [line.partition(":")[0] for line in err] == ["MIRROR_REDIS_URL", "MIRROR_USER_PREFIX"]
    assert not any("secret" in line for line in err)
    assert (await run(code=2))[1][0].startswith("MIRROR_REDIS_URL: must be set")


async def test_a_redis_that_is_away_is_one_line(nats: Nats) -> None:
    """After which there is nothing to report."""
    out, err = await run("--seconds", "1", code=1, NATS_URL=nats.url, MIRROR_REDIS_URL="redis://127.0.0.1:1")
    assert out == ""
    assert err[-1].startswith("mirror: Redis does not answer at 127.0.0.1:1")


async def test_without_users_it_forwards_and_has_nobody_to_report_on(nats: Nats, redis_url: str) -> None:
    """An empty prefix is one."""
    variables = {"NATS_URL": nats.url, "MIRROR_REDIS_URL": redis_url, "MIRROR_USER_PREFIX": ""}
    out, _ = await run("--seconds", "0.1", "--json", code=0, **variables)
    told = json.loads(out)
    assert (told["fine"], told["users"], told["published"]) == (True, {}, 0)


def test_the_users_stand_in_a_file_with_their_tokens(tmp_path: Path) -> None:
    """A line each."""
    file = tmp_path / "users"
    file.write_text("7 an-old-token a-new-token\n\n8 another  yet-another\n")
    assert watched(file) == [
        Watched("7", {"old": "an-old-token", "new": "a-new-token"}),
        Watched("8", {"old": "another", "new": "yet-another"}),
    ]
    file.write_text("7 one-token\n")
    with pytest.raises(BadInput, match="user 1 must be"):
        watched(file)


def test_the_report_names_messages_and_not_what_people_wrote() -> None:
    """By event and id, and for how long one was late."""
    secret = "what somebody wrote"
    kinds = [("inbox:created", {"id": 1, "body": secret}), ("connection_answer:created", {"answer": {"id": 2}})]
    sent = [Sending(f"mirror-{n}", identity(*kind), n, float(n)) for n, kind in enumerate(kinds)]
    heard = {"old": [Hearing(sent[1].what, 1.0)], "new": [Hearing(each.what, each.at + 2) for each in sent]}
    heard["new"].append(Hearing(identity("inbox:deleted", {"id": 3}), 9.0))
    told = report({"7": Record(sent, heard, {"old": 0, "new": 1})}, period=(0, 10), late=1.5)  # type: ignore[arg-type]
    old, new = told["users"]["7"]["old"], told["users"]["7"]["new"]
    assert old["missing"] == [{"event": "inbox:created", "about": 1, "event_id": "mirror-0"}]
    assert new["extra"] == [{"event": "inbox:deleted", "about": 3}]
    assert [(each["about"], each["seconds"]) for each in new["late"]] == [(1, 2.0), (2, 2.0)]
    printed = list(lines(told))
    assert len(printed) == 2 + 4 + 1
    assert printed[-1] == "The sides differ."
    assert not any(secret in text for text in (json.dumps(told), *printed))
