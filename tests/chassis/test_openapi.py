"""The OpenAPI document tells of every refusal, and a path has just the methods that it names."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI

from chassis.edge import CurrentCaller
from chassis.errors import Conflict, Gone, NotFound
from chassis.http import create_app
from chassis.paging import Cursor
from chassis.problems import refusals

Serve = Callable[[FastAPI], Awaitable[httpx.AsyncClient]]


class AlreadyThere(Conflict):
    """There is one."""


class Another(Conflict):
    """There is another."""


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """An application with paths that resemble each other."""
    made = create_app("Things", version="1", checks={})

    @made.get("/things")
    async def listed(cursor: Cursor = None) -> str:
        return "list"

    @made.post("/things", status_code=201, responses=refusals(AlreadyThere, Gone, Another))
    async def create(caller: CurrentCaller, note: dict[str, str]) -> str:
        return "created"

    @made.post("/things/all")
    async def all_of_them() -> str:
        return "all"

    @made.get("/things/{number}", responses=refusals(NotFound))
    async def one(number: int) -> str:
        return "one"

    @made.delete("/things/{number}")
    async def remove(number: int) -> str:
        return "removed"

    return made


@pytest.fixture(scope="module")
async def client(app: FastAPI, serve: Serve) -> httpx.AsyncClient:
    """Its client."""
    return await serve(app)


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/things", "GET, POST"), ("/things/7", "DELETE, GET"), ("/things/all", "POST"), ("/openapi.json", "GET, HEAD")],
)
async def test_a_method_that_a_path_does_not_have_is_405_and_those_that_it_has_are_named(
    client: httpx.AsyncClient, path: str, methods: str
) -> None:
    """All of them, whichever route has them; and a path that is spelled out is no instance of a template."""
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} - set(methods.split(", ")):
        response = await client.request(method, path)
        assert (response.status_code, response.headers["content-type"]) == (405, "application/problem+json")
        assert ", ".join(sorted(response.headers["allow"].split(", "))) == methods


async def test_methods_that_a_path_has_get_through(client: httpx.AsyncClient) -> None:
    """The twin: also where paths resemble each other, and where the document is silent."""
    told = [
        (await client.get("/things")).json(),
        (await client.post("/things/all")).json(),
        (await client.get("/things/7")).json(),
        (await client.delete("/things/7")).json(),
    ]
    assert told == ["list", "all", "one", "removed"]
    assert (await client.get("/docs")).status_code == 200
    assert (await client.get("/things/7/more")).status_code == 404


def test_the_document_names_what_an_operation_is_refused_for(app: FastAPI) -> None:
    """By what it takes, and by what its route says; asked for twice, it says the same."""
    paths = app.openapi()["paths"]
    assert app.openapi()["paths"] == paths
    assert paths["/things"]["get"]["responses"].keys() == {"200", "400", "422", "500"}
    create = paths["/things"]["post"]["responses"]
    assert create.keys() == {"201", "400", "401", "409", "410", "413", "422", "429", "500", "503"}
    assert create["409"]["description"] == "There is one. Or: There is another."
    assert create["401"]["headers"].keys() == {"WWW-Authenticate"}
    assert paths["/things/all"]["post"]["responses"].keys() == {"200", "500"}
    assert paths["/things/{number}"]["get"]["responses"].keys() == {"200", "404", "422", "500"}
    shapes = {str(each["content"]) for status, each in create.items() if status > "400"}
    assert shapes == {"{'application/problem+json': {'schema': {'$ref': '#/components/schemas/ProblemDetails'}}}"}


def test_every_shape_that_the_document_refers_to_is_in_it(app: FastAPI) -> None:
    """And none that nobody refers to."""
    assert app.openapi()["components"]["schemas"].keys() == {"ProblemDetails", "Mistake"}
