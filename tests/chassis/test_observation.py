"""What is told of requests in numbers, by an application on a real socket."""

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

from chassis.errors import Conflict
from chassis.http import create_app
from tests.chassis.conftest import Serve


@pytest.fixture(scope="module")
async def client(serve: Serve) -> httpx.AsyncClient:
    """The client of an application with a route of each kind."""
    app: FastAPI = create_app("Observed", version="1", checks={})

    @app.get("/observed/{number}")
    async def one(number: int) -> int:
        if number == 409:
            raise Conflict("there is one already")
        if number == 500:
            raise LookupError("a secret reason")
        return number

    return await serve(app)


def count(method: str, route: str, status: int) -> float:
    """How many such requests were answered so far."""
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("tandem_http_requests_total", labels) or 0.0


ROUTE = "/observed/{number}"


@pytest.mark.parametrize(
    ("method", "path", "counted_as"),
    [
        ("GET", "/observed/7", ("GET", ROUTE, 200)),
        ("GET", "/observed/8?a=b", ("GET", ROUTE, 200)),
        ("GET", "/observed/409", ("GET", ROUTE, 409)),
        ("GET", "/observed/x", ("GET", ROUTE, 422)),
        ("GET", "/observed/500", ("GET", ROUTE, 500)),
        ("GET", "/nowhere/7", ("GET", "other", 404)),
        ("PROPFIND", "/nowhere/7", ("other", "other", 404)),
        ("DELETE", "/observed/7", ("DELETE", "other", 405)),
    ],
)
async def test_a_request_is_counted_by_the_template_of_its_path(
    client: httpx.AsyncClient, method: str, path: str, counted_as: tuple[str, str, int]
) -> None:
    """So that no caller can make new series; with its duration."""
    labels = {"method": counted_as[0], "route": counted_as[1]}
    durations = REGISTRY.get_sample_value("tandem_http_request_duration_seconds_count", labels) or 0.0
    before = count(*counted_as)
    assert (await client.request(method, path)).status_code == counted_as[2]
    assert count(*counted_as) == before + 1
    assert REGISTRY.get_sample_value("tandem_http_request_duration_seconds_count", labels) == durations + 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_what_machines_ask_is_not_counted(client: httpx.AsyncClient, path: str) -> None:
    """It would hide what people wait for."""
    assert (await client.get(path)).status_code == 200
    assert f'route="{path}"' not in (await client.get("/metrics")).text


async def test_metrics_come_in_the_format_that_is_asked_for_and_are_no_part_of_the_api(
    client: httpx.AsyncClient,
) -> None:
    """Plain text, or OpenMetrics."""
    plain = await client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE tandem_http_requests_total counter" in plain.text
    modern = await client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert modern.text.endswith("# EOF\n")
    assert "/metrics" not in (await client.get("/openapi.json")).json()["paths"]
