"""The demo page: served in development alone, and so that nothing in it can be made to run or to call anywhere else."""

import json
import posixpath
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Any

import httpx
import pytest

from chassis.auth import Authenticator
from chassis.bus import Bus
from chassis.database import Database
from chassis.edge import Edge
from chassis.settings import AuthSettings
from contracts.subjects import user_id
from inbox_service.app import create_http
from inbox_service.settings import Settings

CONNECTION = "http://127.0.0.1:8002"
PUSH = "ws://127.0.0.1:8003/v1/push"
CONTROL = "http://127.0.0.1:34567"
NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"

Element = tuple[str, dict[str, str | None]]


@asynccontextmanager
async def browser(
    *, dev: bool = True, connection: str = CONNECTION, push: str = PUSH, control: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service, whose database and bus nobody needs here."""
    auth = AuthSettings(secret="a secret for tests, of 32 characters and more", dev=dev)
    settings = Settings(INBOX_DATABASE_URL=NOWHERE, connection_url=connection, push_url=push, control_url=control)
    database = Database(NOWHERE, application_name="test")
    edge = Edge(database, Authenticator.of(auth), identify=user_id)
    app = create_http(edge, settings, auth, Bus(("nats://127.0.0.1:1",), name="never connected"), "0001")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8001") as client:
        yield client
    await database.close()


def elements_of(page: str) -> list[Element]:
    """The start tags of a page, as a browser reads them."""
    found: list[Element] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Reader().feed(page)
    return found


def places_in(elements: list[Element]) -> Any:
    """Where the page is told that the other services are."""
    return json.loads(elements[0][1]["data-places"] or "")


def policy_of(response: httpx.Response) -> dict[str, list[str]]:
    """The sources by directive."""
    directives = [directive.split() for directive in response.headers["content-security-policy"].split(";")]
    assert len({name for name, *_ in directives}) == len(directives)
    return {name: sources for name, *sources in directives}


async def test_the_page_is_told_where_the_other_services_are() -> None:
    """It is made once for every machine and every choice of ports."""
    async with browser() as client:
        response = await client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert places_in(elements_of(response.text)) == {"connection": CONNECTION, "push": PUSH, "control": ""}


@pytest.mark.parametrize("path", ["/", "/web/index.html", "/web/demo/page.js"])
async def test_without_auth_dev_there_is_no_page(path: str) -> None:
    """It signs in whoever asks, which is for development alone."""
    async with browser(dev=False) as client:
        response = await client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


async def test_the_page_may_load_our_files_and_call_our_services_and_nothing_else() -> None:
    """What somebody managed to inject could neither run nor send anything away."""
    async with browser() as client:
        policy = policy_of(await client.get("/"))
    assert policy.pop("connect-src") == ["'self'", CONNECTION, "ws://127.0.0.1:8003"]
    assert policy.pop("require-trusted-types-for") == ["'script'"]
    assert policy.pop("default-src") == ["'none'"]
    assert {source for sources in policy.values() for source in sources} == {"'self'", "'none'"}
    assert policy["script-src"] == ["'self'"]


async def test_the_page_may_have_the_gateway_restarted_where_it_is_told_how() -> None:
    """By the runner of `make run`, whose port is another one each time."""
    async with browser(control=CONTROL) as client:
        response = await client.get("/")
    assert places_in(elements_of(response.text))["control"] == CONTROL
    assert policy_of(response)["connect-src"] == ["'self'", CONNECTION, "ws://127.0.0.1:8003", CONTROL]


async def test_the_page_holds_no_code_of_its_own() -> None:
    """The policy would stop it, and then a part of the page would be dead."""
    async with browser() as client:
        elements = elements_of((await client.get("/")).text)
    assert all("src" in attributes for tag, attributes in elements if tag == "script")
    assert not [tag for tag, attributes in elements if tag == "style" or "style" in attributes]
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]


@pytest.mark.parametrize(
    "evil",
    [
        "http://x/</script><script>alert(1)</script>",
        'http://x/"><img src=x onerror=alert(1)>',
        "http://x/' onload='alert(1)",
        "http://x/&quot; onload=&quot;alert(1)",
        "http://x/<!--",
        "http://x/\\u0022\\",
    ],
)
async def test_an_address_cannot_break_out_of_its_place_in_the_page(evil: str) -> None:
    """Whatever it is, the page has the elements that it always has, and reads the address as it was given."""
    async with browser() as client:
        harmless = elements_of((await client.get("/")).text)
    async with browser(connection=evil, push=evil, control=evil) as client:
        elements = elements_of((await client.get("/")).text)
    assert places_in(elements) == {"connection": evil, "push": evil, "control": evil}
    assert [(tag, attributes.keys()) for tag, attributes in elements] == [
        (tag, attributes.keys()) for tag, attributes in harmless
    ]
    assert elements[1:] == harmless[1:]


@pytest.mark.parametrize(
    "evil", ["http://x;script-src *", "http://x,script-src *", "http://x *", "http://x\r\nX-Evil: 1", "http://*'"]
)
async def test_an_address_cannot_change_the_policy(evil: str) -> None:
    """It adds one source to one directive."""
    async with browser() as client:
        harmless = policy_of(await client.get("/"))
    async with browser(connection=evil) as client:
        response = await client.get("/")
    policy = policy_of(response)
    (source,) = set(policy.pop("connect-src")) - set(harmless.pop("connect-src"))
    assert re.fullmatch(r"http://[a-zA-Z0-9%.:-]+", source)
    assert policy == harmless
    assert "x-evil" not in response.headers


async def test_every_file_that_the_page_needs_is_served() -> None:
    """From the page to its modules and theirs: a name that leads nowhere is found here, not in a browser."""
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    async with browser() as client:
        elements = elements_of((await client.get("/")).text)
        named = [attributes.get("src") or attributes.get("href") or "" for _, attributes in elements]
        wanted = [name for name in named if name.startswith("/web/")]
        for path in wanted:  # grows on the way
            response = await client.get(path)
            assert response.status_code == 200, path
            assert response.headers["content-type"].startswith(types[PurePosixPath(path).suffix])
            assert response.headers["cache-control"] == "no-cache"
            imports = re.findall(r'(?:from|import) "(\.[^"]+)";$', response.text, re.MULTILINE)
            named = [posixpath.normpath(PurePosixPath(path).parent / name) for name in imports]
            wanted += [name for name in dict.fromkeys(named) if name not in wanted]
    assert {PurePosixPath(path).name for path in wanted} > {"page.js", "wire.js", "realtime.js", "row.js", "icon.svg"}


@pytest.mark.parametrize(
    "path",
    [
        "/web/%2e%2e/pyproject.toml",
        "/web//etc/hostname",
        "/web/demo/",
        "/web/nothing.js",
        "/web/node_modules/react/index.js",
        "/web/demo/../node_modules/react/index.js",
    ],
)
async def test_nothing_but_the_files_of_the_page_is_served(path: str) -> None:
    """Neither what lies beside them nor a list of them."""
    async with browser() as client:
        assert (await client.get(path)).status_code == 404
