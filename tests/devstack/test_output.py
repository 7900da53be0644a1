"""Lines of many processes on one terminal."""

import pytest

from devstack.output import Printer


def test_names_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer()
    printer("connection", "one")
    printer("nats", "two")
    assert capsys.readouterr().out == "connection | one\nnats       | two\n"


def test_names_are_coloured_only_on_request_or_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(colour=True)
    printer("nats", "one")
    printer("inbox", "two")
    printer("nats", "three")
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("\x1b[36mnats       |\x1b[0m one")
    assert third.startswith("\x1b[36m")
    assert not second.startswith("\x1b[36m")


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_is_respected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_color: str, coloured: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    Printer()("nats", "one")
    assert ("\x1b" in capsys.readouterr().out) is coloured
