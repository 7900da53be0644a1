"""The one place where the commands are put together."""

import sys
from collections.abc import Sequence

import typer

from bus_inspector.commands import bench_publish, check, dead, doctor, lag, revoke, show, tap, user, why
from bus_inspector.errors import InspectorError

NAME = "tandem-bus"

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C has ended."""


def command_line() -> typer.Typer:
    """All commands."""
    app = typer.Typer(
        name=NAME,
        help="Looks at the bus. Changes nothing but by `dead requeue`, `dead drop`, `revoke` and `bench-publish`.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.command("tap")(tap.tap)
    app.command("show")(show.show)
    app.command("why")(why.why)
    app.command("user")(user.of_user)
    app.command("lag")(lag.lag)
    app.command("check")(check.check)
    app.command("doctor")(doctor.doctor)
    app.command("revoke")(revoke.revoke)
    app.command("bench-publish")(bench_publish.bench_publish)
    app.add_typer(dead.commands(), name="dead")
    return app


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; return the exit code. What is wrong with them is one line on standard error."""
    try:
        code = command_line()(list(arguments) or ["--help"], prog_name=NAME, standalone_mode=False)
    except typer.TyperException as error:
        sys.stderr.write(f"{NAME}: {_one_line(error.format_message())}\n")
        return 2
    except InspectorError as error:
        sys.stderr.write(f"{NAME}: {_one_line(str(error))}\n")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return code if isinstance(code, int) else 0


def _one_line(text: str) -> str:
    return " ".join(text.split())
