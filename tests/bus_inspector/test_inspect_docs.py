"""docs/INSPECT.md names commands and options that there are."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from bus_inspector.app import NAME, command_line

DOCUMENT = Path(__file__).parents[2] / "docs" / "INSPECT.md"

COMMANDS = sorted(set(re.findall(rf"{NAME} ([a-z][^`\n]*)", DOCUMENT.read_text("utf-8"))))


def test_the_document_names_every_command() -> None:
    """And so the test below cannot pass on nothing."""
    group = typer.main.get_command(command_line())
    named = {command.split()[0] for command in COMMANDS}
    assert named == set(group.commands)  # type: ignore[attr-defined] # it is a group


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_document_can_be_meant(command: str) -> None:
    """It is parsed as it stands there, and not run."""
    parsed = typer.main.get_command(command_line())
    arguments = shlex.split(command.partition("  #")[0])
    while hasattr(parsed, "commands"):
        parsed = parsed.commands[arguments.pop(0)]
    with parsed.make_context(NAME, arguments):
        pass
