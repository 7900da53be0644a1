"""Owns `doctor`: whether everything is set up as it should be."""

from dataclasses import asdict

from rich.text import Text

from bus_inspector.examining import examine
from bus_inspector.findings import Finding
from bus_inspector.output import Output
from bus_inspector.reach import Reach
from bus_inspector.running import Json, run

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(*, as_json: Json = False) -> None:
    """Examine configuration, versions, permissions, streams, clocks and capture. Exit code 1 if something fails."""
    run(_doctor, as_json=as_json)


async def _doctor(reach: Reach, output: Output) -> int:
    findings: list[Finding] = [finding async for finding in examine(reach)]
    if output.as_json:
        output.document([asdict(finding) for finding in findings])
    else:
        output.table(
            [
                {"what": each.what, "state": Text(each.state, STYLES[each.state]), "found": each.found}
                for each in findings
            ]
        )
    return 1 if any(finding.state == "fail" for finding in findings) else 0
