"""Owns the page `reference/http.md`: both services' OpenAPI documents, for people."""

from collections.abc import Iterator, Mapping
from typing import Any

import connection_service.api
import inbox_service.api
from chassis.http import create_app
from handbook.shapes import Schema, fields, head, kind, meaning, references, row

Document = Mapping[str, Any]

ROUTERS = {"connection_service": connection_service.api.router, "inbox_service": inbox_service.api.router}

PUBLIC = "/v1/"
"""How the paths begin that are for everybody; the others are for whoever runs the service."""

INTRODUCTION = """\
# HTTP reference

Made from the services' OpenAPI documents by `make schemas`; they serve them at `/openapi.json` and, to be tried out, at
`/docs`. In development connection_service is at `http://127.0.0.1:8002` and inbox_service at `http://127.0.0.1:8001`.

Every operation takes `Authorization: Bearer <JWT>`, and acts for the token's `sub`. Times are RFC 3339 in UTC. Lists
come page by page: `next_cursor` of one is the `cursor` of the next, and null at the end. What is refused is answered
with a [ProblemDetails](#problemdetails) as `application/problem+json`. Besides what stands at each operation, any may
be refused with:
"""


def documents() -> dict[str, Document]:
    """Each service's OpenAPI document, by the service's name."""
    found: dict[str, Document] = {}
    for name, router in ROUTERS.items():
        app = create_app(name, version="1", checks={})
        app.include_router(router)
        found[name] = app.openapi()
    return found


def page(services: Mapping[str, Document]) -> str:
    """The whole page."""
    everywhere = set.intersection(*({*_refusals(document)} for document in services.values()))
    lines = [INTRODUCTION, *head("status", "why"), *(row(*each) for each in sorted(everywhere))]
    for name, document in services.items():
        lines += ["", f"## {name}", *_operations(document, everywhere)]
    shapes = {name: shape for document in services.values() for name, shape in _shapes(document).items()}
    lines += ["", "## Shapes"]
    for name in sorted(shapes):
        lines += ["", f"### {name}", "", shapes[name].get("description", ""), "", *fields(shapes[name])]
    return "\n".join(lines) + "\n"


def _each(document: Document) -> Iterator[tuple[str, str, Schema]]:
    """Every operation that is for everybody, with its method and path."""
    for path, methods in document["paths"].items():
        if path.startswith(PUBLIC):
            for method, operation in methods.items():
                yield method.upper(), path, operation


def _refusals(document: Document) -> Iterator[tuple[str, str]]:
    for _, _, operation in _each(document):
        yield from ((status, each["description"]) for status, each in operation["responses"].items() if status >= "400")


def _operations(document: Document, everywhere: set[tuple[str, str]]) -> Iterator[str]:
    for method, path, operation in _each(document):
        yield from ("", f"### `{method} {path}`", "", operation["description"], "")
        yield from _parameters(operation)
        yield from head("answer", "")
        for status, answer in sorted(operation["responses"].items()):
            if (status, answer["description"]) not in everywhere:
                yield row(status, _body(answer) if status < "400" else answer["description"])


def _parameters(operation: Schema) -> list[str]:
    """A table of what an operation takes, if it takes anything."""
    rows = [
        row(f"`{each['name']}`", each["in"], _without_null(each["schema"]), meaning(each["schema"]))
        for each in operation.get("parameters", [])
    ]
    if "requestBody" in operation:
        optional = "" if operation["requestBody"].get("required") else "may be missing"
        rows.append(row("", "body", _body(operation["requestBody"]), optional))
    return [*head("takes", "in", "type", ""), *rows, ""] if rows else []


def _body(of: Schema) -> str:
    """The type of what is sent as JSON."""
    content = of.get("content", {}).get("application/json")
    return _without_null(content["schema"]) if content else "nothing"


def _without_null(schema: Schema) -> str:
    """In a request a value that may be null may as well be left out."""
    return kind(schema).removesuffix(" or null")


def _shapes(document: Document) -> dict[str, Schema]:
    """The shapes that the operations for everybody refer to, and those that these refer to."""
    shapes: dict[str, Schema] = document["components"]["schemas"]
    found: dict[str, Schema] = {}
    waiting = [name for *_, operation in _each(document) for name in references(operation)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = shapes[name]
            waiting += references(shapes[name])
    return found
