"""Owns `python -m devstack.audit`: whether what a running service needs has a hole that the world knows of.

pip-audit asks a vulnerability service on the network. Where that cannot be reached nothing is known, which is said and
is no failure: a check must not depend on the network. A hole that is found is one.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

REQUIREMENTS: Final = Path(__file__).parents[1] / "requirements" / "runtime.txt"

TIMEOUT: Final = 10
"""Seconds that the service may take for an answer."""


def audit(requirements: Path = REQUIREMENTS, *, service: Sequence[str] = ("-s", "osv")) -> tuple[int, str]:
    """The exit code, and what is to be said: 1 and each hole with the versions that mend it, or 0 and a line."""
    command = (
        *(sys.executable, "-m", "pip_audit", *service, "--format", "json", "--progress-spinner", "off"),
        *("--timeout", str(TIMEOUT), "--require-hashes", "--no-deps", "--disable-pip", "-r", str(requirements)),
    )
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        found: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]
        return 0, f"pip-audit: NOTHING WAS AUDITED, no vulnerability service answers: {reason}"
    audited = [each for each in found if "vulns" in each]
    holes = [_described(each, hole) for each in audited for hole in each["vulns"]]
    if holes:
        return 1, "\n".join(holes)
    if len(audited) < len(found):
        return (
            0,
            f"pip-audit: the service knows only {len(audited)} of {len(found)} dependencies, without a hole",
        )
    return 0, f"pip-audit: {len(audited)} dependencies, no known hole"


def _described(dependency: dict[str, Any], hole: dict[str, Any]) -> str:
    mended = ", ".join(hole["fix_versions"]) or "no version yet"
    return f"pip-audit: {dependency['name']} {dependency['version']} has {hole['id']}; mended in {mended}"


if __name__ == "__main__":
    code, said = audit()
    print(said)
    sys.exit(code)
