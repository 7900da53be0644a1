"""The reducer of inbox.js in a real browser, and the vectors."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Route

from tests.system.browser.conftest import chromium

__all__ = ["chromium"]

ROOT = Path(__file__).parents[2]
ORIGIN = "http://library.test"
FILES = {"/web/inbox.js": ROOT / "web/inbox.js", "/run.js": Path(__file__).with_name("run.js")}

BATCH = """async (courses) => {
  const { reduced } = await import("/run.js");
  return JSON.stringify(JSON.parse(courses).map(reduced));
}"""
"""All in one call and as text: Playwright takes longer to take objects apart than the reducer to reduce."""

Course = Sequence[dict[str, Any]]
InBrowser = Callable[[Sequence[Course]], Awaitable[list[dict[str, Any]]]]


@pytest.fixture(scope="session")
async def in_browser(chromium: Browser) -> AsyncIterator[InBrowser]:
    """What inbox.js knows after each of some courses."""
    page = await chromium.new_page()

    async def serve(route: Route) -> None:
        file = FILES.get(route.request.url.removeprefix(ORIGIN))
        kind = "text/javascript" if file else "text/html"
        await route.fulfill(body=file.read_text() if file else "<!doctype html>", content_type=kind)

    async def reduced(courses: Sequence[Course]) -> list[dict[str, Any]]:
        known: list[dict[str, Any]] = json.loads(await page.evaluate(BATCH, json.dumps(courses)))
        return known

    await page.route("**", serve)
    await page.goto(f"{ORIGIN}/")
    yield reduced
    await page.close()


@pytest.fixture
def vectors() -> dict[str, dict[str, Any]]:
    """Every vector, by the name of its file."""
    return {file.stem: json.loads(file.read_text()) for file in sorted((ROOT / "contracts/vectors").glob("*.json"))}
