"""Owns the OpenAPI document: that it tells of every refusal, and that a path has just the methods that it names."""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.errors import (
    BadRequest,
    MethodNotAllowed,
    Problem,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from chassis.problems import ProblemDetails, problem_response, refusals

Document = dict[str, Any]


class Application(FastAPI):
    """An application whose document names, for each operation, also what it may be refused for."""

    def openapi(self) -> Document:
        document = super().openapi()
        for path in document["paths"].values():
            for operation in path.values():
                documented = operation["responses"]
                documented.pop("422", None)  # in FastAPI's shape, which is not ours
                for status, response in refusals(*_common(operation)).items():
                    documented.setdefault(str(status), response)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update({**problem.pop("$defs"), ProblemDetails.__name__: problem})
        return document


def _common(operation: dict[str, Any]) -> list[type[Problem]]:
    """What follows from what an operation takes."""
    parameters = {parameter["name"] for parameter in operation.get("parameters", [])}
    problems: list[type[Problem]] = [Problem]
    if "security" in operation:
        problems += [Unauthorized, TooManyRequests, Unavailable]
    if "requestBody" in operation:
        problems += [BadRequest, TooLarge, Unprocessable]
    if parameters:
        problems.append(Unprocessable)
    if "cursor" in parameters:
        problems.append(BadRequest)
    return list(dict.fromkeys(problems))


class Methods:
    """Refuses methods that a path does not have, and names those that it has (RFC 9110, sections 10.2.1 and 15.5.6).

    The router would name the methods of one route only, and take a path that is spelled out in one route for an
    instance of another's template. What the document leaves out is left to the router. The document itself is not
    asked: to make it would hold up the first request, and all else that the process does, for longer than one takes.
    """

    def __init__(self, app: ASGIApp, *, application: FastAPI) -> None:
        self._app = app
        self._application = application
        self._paths: list[tuple[re.Pattern[str], frozenset[str]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = self._allowed(scope["path"]) if scope["type"] == "http" else frozenset()
        if not allowed or scope["method"] in allowed:
            await self._app(scope, receive, send)
            return
        response = problem_response(MethodNotAllowed(allowed))
        response.headers["Allow"] = ", ".join(sorted(allowed))
        await response(scope, receive, send)

    def _allowed(self, path: str) -> frozenset[str]:
        if not self._paths:
            named: dict[str, frozenset[str]] = {}
            for route in self._application.routes:
                if isinstance(route, APIRoute) and route.include_in_schema:
                    named[route.path_format] = named.get(route.path_format, frozenset()).union(route.methods or ())
            spelled_out_first = sorted(named, key=lambda path: "{" in path)
            self._paths = [(_pattern(path), named[path]) for path in spelled_out_first]
        return next((methods for pattern, methods in self._paths if pattern.fullmatch(path)), frozenset())


def _pattern(template: str) -> re.Pattern[str]:
    """What fits a path of a route: each parameter is one part of it."""
    return re.compile(re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(template)))
