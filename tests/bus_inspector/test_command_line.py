"""The command line itself: what cannot be meant is one line and exit code 2, and nothing is done."""

import pytest

from bus_inspector.app import main
from tests.bus_inspector.conftest import inspecting

NOWHERE = {"NATS_URL": "nats://127.0.0.1:1"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("tap", "--no-such-option"),
        ("tap", "surplus"),
        ("tap", "--since", "yesterday"),
        ("tap", "--since", "9999999999d"),
        ("tap", "--since", "-5"),
        ("tap", "--user", "alice.*"),
        ("tap", "--type", "inbox:unheard-of"),
        ("show",),
        ("show", "an id with blanks"),
        ("show", "x" * 129),
        ("why", "\x1b[2J"),
        ("why", "x", "--within", "long ago"),
        ("user", "bob>"),
        ("user", "bob", "--at", "2999-01-01"),
        ("revoke",),
        ("revoke", "alice.*"),
        ("dead",),
        ("dead", "drop", "-1"),
        ("dead", "requeue", "all"),
        ("bench-publish", "--count", "0"),
        ("bench-publish", "--rate", "fast"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is connected to."""
    monkeypatch.setenv("NATS_URL", NOWHERE["NATS_URL"])
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("tandem-bus: ")
    assert len(printed.err.splitlines()) == 1
    assert printed.err.strip().isprintable()


async def test_a_wrong_variable_is_one_line_and_exit_code_2() -> None:
    """And its value, which may hold a password, is not repeated."""
    for variable in ("NATS_URL", "INBOX_DATABASE_URL"):
        ended = await inspecting(NOWHERE)("lag", code=2, env={variable: "http://bob:secret@example"})
        assert ended.err.startswith(f"{variable}: ")
        assert len(ended.err.splitlines()) == 1
        assert "secret" not in ended.err


async def test_a_command_that_needs_a_database_says_which_variable_is_missing() -> None:
    """One line, exit code 2."""
    ended = await inspecting(NOWHERE)("user", "bob", "--at", "10m", code=2)
    assert ended.err.startswith("tandem-bus: INBOX_DATABASE_URL must be set")


async def test_a_bus_that_is_away_is_one_line_without_the_password() -> None:
    """Exit code 1: nothing was wrong with the command."""
    ended = await inspecting({"NATS_URL": "nats://bob:secret@127.0.0.1:1"})("tap", code=1)
    assert len(ended.err.splitlines()) == 1
    assert "127.0.0.1:1" in ended.err
    assert "secret" not in ended.err


async def test_the_shell_completes_commands_and_names_of_events() -> None:
    """As `tandem-bus --install-completion` sets it up."""
    asked = {"_TANDEM_BUS_COMPLETE": "complete_bash", "COMP_CWORD": "1", "COMP_WORDS": "tandem-bus "}
    offered = (await inspecting(NOWHERE)(env=asked)).out.split()
    assert {"tap", "show", "why", "user", "lag", "check", "doctor", "dead", "bench-publish"} <= set(offered)
    asked |= {"COMP_CWORD": "3", "COMP_WORDS": "tandem-bus tap --type inbox"}
    assert "updated" in (await inspecting(NOWHERE)(env=asked)).out


async def test_without_arguments_the_commands_are_listed() -> None:
    """What it can change is said first."""
    ended = await inspecting(NOWHERE)()
    assert "dead requeue" in ended.out
    assert "bench-publish" in ended.out
