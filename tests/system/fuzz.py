"""Owns letting Schemathesis loose on a service, and what is recorded of that."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.schemas import BaseSchema

SEED = 1
EXAMPLES = 15
"""Cases made up for each operation, and sequences of calls for each service. Besides, every boundary, type, media type
and method is tried once."""

EXCUSED = {
    "this key was used for another request": "its draft wants 422, and no schema says which keys are used",
    "this is your own invite": "no schema says whose a code is",
    "this invite was used or has expired": "no schema says which codes are used",
}
"""What a request that fits the document may be refused for all the same: a part of the answer, and why."""


@dataclass
class Run:
    """What was sent and answered.

    Attributes:
        cases: how many requests each phase sent.
        complaints: what a check did not like, with the command that shows it.
        excused: how often each reason of `EXCUSED` was needed.
        answers: each request, and the answer with its headers.
    """

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    excused: Counter[str] = field(default_factory=Counter)
    answers: list[tuple[str, str]] = field(default_factory=list)

    def take(self, phase: str, recorder: ScenarioRecorder) -> None:
        """Add what one scenario has recorded."""
        for interaction in recorder.interactions.values():
            request, response = interaction.request, interaction.response
            assert response is not None, f"{request.method} {request.uri} was not answered"
            self.cases[phase] += 1
            self.statuses[response.status_code] += 1
            body = (request.body or b"").decode(errors="replace")
            self.answers.append((f"{request.method} {request.uri} {body}", f"{dict(response.headers)} {response.text}"))
        for check in (check for checks in recorder.checks.values() for check in checks):
            assert check.status is not Status.ERROR, f"the check {check.name} has failed itself"
            if check.failure_info is not None:
                self.complaints.append(f"{phase}: {check.failure_info.failure}\n{check.failure_info.code_sample}")

    def is_excused(self, failure: Failure, answer: str) -> bool:
        """Whether `EXCUSED` has a reason for a failure."""
        reason = next((reason for part, reason in EXCUSED.items() if part in answer), None)
        if reason is None or failure.checks != ("positive_data_acceptance",):
            return False
        self.excused[reason] += 1
        return True


def fuzz(
    url: str, token: str, values: Mapping[str, Sequence[str]], *, only: str | None = None, without: str | None = None
) -> Run:
    """Send whatever the document of the service at `url` allows, and much that it does not, with all checks there are.

    Args:
        values: what stands in a parameter more often than not, by its place and name, as in `path.item_id`.
        only: the one path to be called.
        without: a path not to be called.
    """
    config = schemathesis.Config.from_dict(
        {
            "seed": SEED,
            "headers": {"Authorization": f"Bearer {token}"},
            "continue-on-failure": True,
            "analysis": {"constants": {"enabled": False}},  # they would be those of whatever was imported by then
            "cache": {"enabled": False},
            "suppress-health-check": ["too_slow"],  # that says something of the machine alone
            "generation": {
                "max-examples": EXAMPLES,
                "database": "none",
                "allow-x00": False,  # a schema cannot forbid it deep inside of `data`; test_api_bad_input tries it
            },
            "dictionaries": {_name(place): {"values": list(each)} for place, each in values.items()},
            "parameters": {place: {"dictionary": _name(place), "probability": 0.7} for place in values},
        }
    )
    schema: BaseSchema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
    if only is not None:
        schema = schema.include(path=only)
    if without is not None:
        schema = schema.exclude(path=without)
    run = Run()

    def filter_failure(context: Any, failure: Failure, case: Any, response: schemathesis.Response) -> bool:
        return not run.is_excused(failure, response.text)

    schema.hook(filter_failure)
    for event in from_schema(schema).execute():
        assert not isinstance(event, events.FatalError), event.exception
        assert not isinstance(event, events.NonFatalError), f"{event.label}: {event.value!r}"
        if isinstance(event, events.ScenarioFinished):
            run.take(event.phase.value, event.recorder)
    return run


def _name(place: str) -> str:
    return place.replace(".", "_")
