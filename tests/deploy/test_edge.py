"""The one origin: every path of the APIs leads to the service that has it, and nothing else leads anywhere."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from fastapi.routing import APIRoute, APIRouter

import connection_service.api
import inbox_service.api
from contracts.frames import PATH
from tests.deploy import reading
from tests.deploy.reading import KUBERNETES, ROOT

CADDYFILE = ROOT / "deploy" / "edge" / "Caddyfile"
SERVED = "files"

Routes = list[tuple[str, str]]
"""Patterns of Caddy, and where each leads: `service:port`, or files. The first that fits decides."""


def caddy_routes(text: str) -> Routes:
    """What a Caddyfile says, as far as ours uses its language."""
    named: Mapping[str, list[str]] = {
        name: paths.split() for name, paths in re.findall(r"^\s*@(\w+) path (.+)$", text, re.MULTILINE)
    }
    routes = []
    for matcher, block in re.findall(r"^\thandle (\S+) \{$(.*?)^\t\}$", text, re.MULTILINE | re.DOTALL):
        to = re.search(r"dynamic a (\w+) (\d+)", block)
        target = f"{to[1]}:{to[2]}" if to else SERVED
        routes += [(path, target) for path in named.get(matcher.removeprefix("@"), [matcher])]
    return routes


def ingress_routes() -> Routes:
    """What the example of an Ingress says, in Caddy's patterns; ports are named there."""
    (ingress,) = (
        document for _, document in reading.manifests(KUBERNETES / "example") if document["kind"] == "Ingress"
    )
    (rule,) = ingress["spec"]["rules"]
    ports = {name: port for name, port, _ in upstreams()}
    routes = []
    for path in rule["http"]["paths"]:
        name = path["backend"]["service"]["name"]
        ends = ["", "/*"] if path["pathType"] == "Prefix" else [""]
        routes += [(path["path"] + end, f"{name}:{ports[name]}") for end in ends]
    return routes


def upstreams() -> Iterator[tuple[str, int, list[str]]]:
    """The services, their ports, and the paths that they have."""
    yield "connection", 8002, paths_of(connection_service.api.router)
    yield "inbox", 8001, paths_of(inbox_service.api.router)
    yield "push", 8003, [PATH]


def paths_of(router: APIRouter) -> list[str]:
    return [re.sub(r"\{\w+\}", "an-id", route.path) for route in router.routes if isinstance(route, APIRoute)]


def led_to(path: str, routes: Routes) -> str | None:
    """Where a request for `path` comes out."""
    for pattern, target in routes:
        if path == pattern or (pattern.endswith("*") and path.startswith(pattern[:-1])):
            return target
    return None


def astray(routes: Routes) -> list[str]:
    """The paths that do not come out where they should."""
    wanted = {path: f"{name}:{port}" for name, port, paths in upstreams() for path in paths}
    hidden = ("/", "/metrics", "/healthz", "/readyz", "/docs", "/openapi.json", "/dev/token", "/v1", "/v1/pushy")
    wrong = [
        f"{path} leads to {led_to(path, routes)}" for path, target in wanted.items() if led_to(path, routes) != target
    ]
    return wrong + [f"{path} leads to {led_to(path, routes)}" for path in hidden if led_to(path, routes)]


def test_every_path_of_the_apis_leads_to_its_service() -> None:
    """And what is for the operator alone leads nowhere."""
    assert astray(caddy_routes(CADDYFILE.read_text())) == []
    assert led_to("/web/realtime.js", caddy_routes(CADDYFILE.read_text())) == SERVED


def test_the_ingress_does_the_same() -> None:
    """With the same words."""
    assert astray(ingress_routes()) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("dynamic a inbox 8001", "dynamic a inbox 8002"),
        ("/v1/suggestions", "/v1/suggestion"),
        ("handle /v1/push {", "handle /v1/* {"),
        ("/v1/inbox/*", "/v1/inbox"),
        ("handle /web/* {", "handle /* {"),
    ],
)
def test_a_path_that_goes_astray_is_found(right: str, wrong: str) -> None:
    """Whether it leads to the wrong service, nowhere, or somewhere where it should not."""
    text = CADDYFILE.read_text()
    assert right in text
    assert astray(caddy_routes(text.replace(right, wrong))) != []


def test_caddy_takes_the_file(tmp_path: Path) -> None:
    """Where there is one to ask."""
    if not shutil.which("caddy"):
        pytest.skip("caddy is not installed")
    told = subprocess.run(
        ["caddy", "validate", "--adapter", "caddyfile", "--config", CADDYFILE],
        env={"PATH": "/usr/bin:/usr/local/bin:/bin", "HOME": str(tmp_path), "TANDEM_HOST": "tandem.example"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr


def test_the_gateway_is_not_cut_off_by_the_edge() -> None:
    """A time-out of reading or writing would end sockets that are silent between two heartbeats."""
    text = re.sub(r"#.*", "", CADDYFILE.read_text())
    assert not re.search(r"\b(stream_timeout|read_timeout|write_timeout|idle|write)\b", text)
