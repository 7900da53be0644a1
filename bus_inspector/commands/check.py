"""Owns `check`: whether the rows of the inboxes are what the stream would make of them."""

from dataclasses import asdict

from bus_inspector.comparing import compare
from bus_inspector.output import Output
from bus_inspector.reach import Reach
from bus_inspector.running import Json, run


def check(*, as_json: Json = False) -> None:
    """Compare inbox rows with the stream, and report drift. Exit code 1 if there is any."""
    run(_check, as_json=as_json)


async def _check(reach: Reach, output: Output) -> int:
    result = await compare(reach)
    if output.as_json:
        output.document(asdict(result))
    else:
        output.table([asdict(drift) for drift in result.drifts], title="Drift", empty="none")
        output.say(
            f"{result.agreed} items agree; {result.moving} were changing meanwhile and {result.older} are older than"
            " the stream: these were not judged"
        )
    return 1 if result.drifts else 0
