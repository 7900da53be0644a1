"""A frontend that was written for the old system: it works when only its connection line changes."""

from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from tests.system.browser.conftest import Browsers
from tests.system.conftest import ROOT, People
from tests.system.system import System, run

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Old</title><link rel="icon" href="data:,">
<div id="root"></div>"""

BEFORE = """([push, token]) => {
  const headers = { Authorization: `Bearer ${token}` };
  const call = async (method, path) => (await fetch(`/v1/inbox/items${path}`, { method, headers })).json();
  window.page = {
    push,
    getToken: () => token,
    inboxApi: {
      list: async () => (await call("GET", "")).items,
      markAsRead: (id) => call("POST", `/${id}/read`),
    },
  };
}"""
"""What such a frontend has around its App: where the services are, and its calls."""


@pytest.fixture(scope="session")
async def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its App with the real React, as esbuild makes it; the library stays where it is."""
    out = tmp_path_factory.mktemp("old") / "app.js"
    await run(
        str(ROOT / "web/node_modules/.bin/esbuild"),
        str(Path(__file__).with_name("old") / "App.jsx"),
        "--bundle",
        "--format=esm",
        "--jsx=automatic",
        "--external:/web/*",
        '--define:process.env.NODE_ENV="development"',
        "--log-level=warning",
        f"--outfile={out}",
        environment={"NODE_PATH": str(ROOT / "web/node_modules")},
    )
    return out


async def opened(context: BrowserContext, system: System, user: str, bundle: Path) -> Page:
    """The page of that frontend, as `user`."""

    async def serve(route: Route) -> None:
        await route.fulfill(body=PAGE, content_type="text/html")

    await context.route("**/old", serve)
    page = await context.new_page()
    await page.goto("/old")
    await page.evaluate(BEFORE, [system.push, system.token(user)])
    await page.add_script_tag(path=bundle, type="module")
    await page.wait_for_function("() => sessionStorage.length > 0")  # its place: it has been greeted
    return page


async def test_a_frontend_of_the_old_system_works_when_only_its_connection_line_changes(
    browsers: Browsers, system: System, people: People, bundle: Path
) -> None:
    """Items come, are read and go in all of its windows, and answers come; also what was missed by a lost network."""
    alice, bob = await people.partners()
    old = await system.item(bob, "Old")
    context = await browsers.person()
    first, second = [await opened(context, system, bob, bundle) for _ in range(2)]
    inboxes = [page.get_by_role("list", name="Inbox").get_by_role("listitem") for page in (first, second)]
    for inbox in inboxes:
        await expect(inbox).to_have_count(1)
    await system.item(bob, "New")
    for inbox in inboxes:
        await expect(inbox).to_contain_text(["New", "Old"])
    await first.get_by_role("button", name="Mark as Read").first.click()
    for inbox in inboxes:
        await expect(inbox.first).to_have_class("read")
        await expect(inbox.last).to_have_class("unread")
    (await system.ask("DELETE", f"{system.inbox}/items/{old['id']}", bob)).raise_for_status()
    answer = await system.answer(alice)
    for inbox, page in zip(inboxes, (first, second), strict=True):
        await expect(inbox).to_contain_text([f"{alice} answered", "New"])
        await expect(page.get_by_role("list", name="Answers").get_by_role("listitem")).to_have_text([answer["text"]])

    await context.set_offline(offline=True)
    await system.item(bob, "Missed")
    await context.set_offline(offline=False)
    for inbox in inboxes:
        await expect(inbox).to_contain_text(["Missed", f"{alice} answered", "New"])
