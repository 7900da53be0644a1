"""A real browser, the people who use it, and empty pages into which they load the library."""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Error, Page, Route, async_playwright, expect

from tests.system.system import System

PATIENCE = 15_000
"""How long a page may take to show what is waited for, in milliseconds: as long as a device without a browser may."""

QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
"""Nothing but the pages of the tests opens a connection."""

BLANK = "<!doctype html><html lang='en'><meta charset='utf-8'><title>Blank</title><link rel='icon' href='data:,'>"


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Chromium: the system's if there is one, otherwise Playwright's own."""
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        try:
            installed = shutil.which("chromium-headless-shell") or shutil.which("chromium")
            browser = await playwright.chromium.launch(executable_path=installed, args=QUIET)
        except Error as error:
            pytest.fail(f"the tests need a browser; `make browser` installs one\n{error.message}", pytrace=False)
        yield browser
        await browser.close()


class Browsers:
    """The browsers of a test, one for each person: what is opened in one of them shares storage, locks and channels."""

    def __init__(self, chromium: Browser, system: System) -> None:
        self.origin = system.inbox.removesuffix("/v1/inbox")
        self.errors: list[str] = []
        """What was thrown in any page and caught by nobody. A test that wants some takes them out."""
        self._chromium = chromium
        self._contexts: list[BrowserContext] = []

    async def person(self, **options: Any) -> BrowserContext:
        """A browser in which nobody was before; `options` are those of Playwright's `new_context`."""
        options = {"permissions": ["local-network-access"], **options}  # a page that is made up here is from nowhere
        context = await self._chromium.new_context(base_url=self.origin, **options)
        self._contexts.append(context)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.set_default_timeout(PATIENCE)
        await context.route("**/blank", _blank)
        return context

    async def blank(self, context: BrowserContext) -> Page:
        """An empty page where the inbox is served from: `await import("/web/realtime.js")` works in it."""
        page = await context.new_page()
        await page.goto("/blank")
        return page

    async def close(self) -> None:
        """End all of them."""
        for context in self._contexts:
            await context.close()


@pytest.fixture
async def browsers(chromium: Browser, system: System) -> AsyncIterator[Browsers]:
    """Browsers for the system that the tests share; nothing may be thrown in their pages."""
    opened = Browsers(chromium, system)
    yield opened
    await opened.close()
    assert opened.errors == []


async def _blank(route: Route) -> None:
    await route.fulfill(body=BLANK, content_type="text/html")
