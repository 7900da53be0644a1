"""Owns what a caller is told who is refused (RFC 9457): in the answer, and in the OpenAPI document."""

from collections import defaultdict
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from chassis.errors import BadRequest, BusUnavailable, Problem, Unavailable, Unprocessable

PROBLEM = "application/problem+json"


class Mistake(BaseModel):
    """A part of a request that is wrong."""

    field: str
    detail: str


class ProblemDetails(BaseModel):
    """What a caller is told who is refused (RFC 9457). Some problems have members of their own."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str = Field(description="what is wrong, and what to do about it")
    errors: list[Mistake] = Field(default_factory=list, description="each part of the request that is wrong")


def answer_problems(app: FastAPI) -> None:
    """Have `app` answer everything that it refuses with a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(BusUnavailable, _bus_away)


def problem_response(problem: Problem, *, errors: list[dict[str, str]] | None = None) -> JSONResponse:
    """`problem` as an answer; `errors` names each part of the request that was wrong."""
    if errors is None and problem.field is not None:
        errors = [{"field": problem.field, "detail": problem.detail}]
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        **({"errors": errors} if errors else {}),
        **problem.extra,
    }
    return JSONResponse(body, problem.status, problem.headers, media_type=PROBLEM)


def refusals(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """How `problems` stand in the document, for a route's `responses`.

    A route names what does not follow from what it takes; see `chassis.openapi`.
    """
    by_status: defaultdict[int, list[type[Problem]]] = defaultdict(list)
    for problem in problems:
        by_status[problem.status].append(problem)
    return {
        status: {
            "description": " Or: ".join((problem.__doc__ or "").partition("\n")[0] for problem in those),
            "headers": {name: {"required": True, "schema": {"type": "string"}} for name in those[0].headers},
            "content": {PROBLEM: {"schema": {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}}},
        }
        for status, those in by_status.items()
    }


async def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem), "registered for Problem"
    return problem_response(error)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError), "registered for RequestValidationError"
    mistakes = error.errors()
    if any(mistake["type"] == "json_invalid" for mistake in mistakes):
        return problem_response(BadRequest("the body is not valid JSON", field="body"))
    errors = [
        {"field": ".".join(str(part) for part in mistake["loc"][1:]) or "body", "detail": mistake["msg"]}
        for mistake in mistakes
    ]
    detail = "; ".join(f"{each['field']}: {each['detail']}" for each in errors)
    return problem_response(Unprocessable(detail), errors=errors)


async def _http(_: Request, error: Exception) -> JSONResponse:
    """What Starlette and FastAPI refuse: an unknown path, a wrong method, a body that no parser can read."""
    assert isinstance(error, HTTPException), "registered for HTTPException"
    if error.status_code == BadRequest.status:
        return problem_response(BadRequest(error.detail, field="body"))
    body = {"type": "about:blank", "title": error.detail, "status": error.status_code, "detail": error.detail}
    return JSONResponse(body, error.status_code, error.headers, media_type=PROBLEM)


async def _bus_away(_: Request, error: Exception) -> JSONResponse:
    return problem_response(Unavailable(f"{error}; try again"))
