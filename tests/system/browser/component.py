"""Owns `<tandem-inbox>` as the tests see it: on a page with the policy of the real one, before real services."""

import asyncio
from typing import Any

from playwright.async_api import BrowserContext, Locator, Page, Route

from tests.system.browser.conftest import Browsers
from tests.system.device import PATIENCE
from tests.system.system import System

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Inbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/web/icon.svg">
<main><h1>A page</h1></main>"""

SHOW = """async ([places, token, language, options, early]) => {
  const load = () => import("/web/tandem-inbox.js");
  if (!early) {
    await load();
  }
  const [{ createRealtime }, { createInbox }, { createApi }] = await Promise.all(
    ["/web/realtime.js", "/web/inbox.js", "/web/api.js"].map((each) => import(each)));
  const getToken = () => token;
  const realtime = createRealtime({ url: places.push, getToken });
  const api = createApi({ connectionUrl: places.connection, getToken });
  const element = document.createElement("tandem-inbox");
  element.lang = language;
  element.inbox = window.inbox = createInbox({ api, realtime, ...options });
  document.querySelector("main").append(element);
  await load();
}"""
"""The modules of the library, put together as a page does it."""


async def fill(system: System, user: str, count: int, *, read: bool = False, first: int = 1) -> None:
    """Put `count` items into somebody's inbox in one statement: "Item 1", "Item 2" and so on, the newest last."""
    fields = "recipient_id, kind, title, body, is_read"
    row = f"'{user}', 'notice', 'Item ' || number, 'What there is to say about it.', {read}"
    numbers = f"generate_series({first}, {first + count - 1}) AS number"
    await system.sql("inbox", f"INSERT INTO inbox_items ({fields}) SELECT {row} FROM {numbers}")  # noqa: S608


class Component:
    """The element on a page of its own; what is in it is found by its role and name, as a person would."""

    def __init__(self, page: Page, user: str) -> None:
        self.page = page
        self.user = user
        self.element = page.locator("tandem-inbox")
        self.entries = self.element.get_by_role("listitem")
        self.badge = page.locator("tandem-inbox .badge [aria-hidden]")
        self.connection = page.locator("tandem-inbox .connection")

    def entry(self, title: str) -> Locator:
        """The row with this title."""
        return self.entries.filter(has=self.page.get_by_role("heading", name=title, exact=True))

    def button(self, name: str, *, exact: bool = False) -> Locator:
        """A button by its name, or a part of that."""
        return self.element.get_by_role("button", name=name, exact=exact)

    async def until(self, condition: str) -> None:
        """Wait until `condition` holds for the `state` of the inbox. (The policy forbids `wait_for_function`.)"""
        look = f"const look = ({{ state }} = inbox) => ({condition}) && done()"
        async with asyncio.timeout(PATIENCE):
            await self.page.evaluate(f"new Promise((done) => {{ {look}; inbox.subscribe(look); look(); }})")

    async def confirmed(self) -> None:
        """Wait until the server has confirmed what was done."""
        await self.until("state.waiting === 0")

    async def focused(self) -> str:
        """The name of what has the focus: of a button or, failing that, its text."""
        name: str = await self.element.evaluate(
            "({ shadowRoot: { activeElement: at } }) => at ? at.ariaLabel ?? at.textContent.trim() : ''"
        )
        return name

    async def told(self) -> list[str]:
        """What a screen reader was told unasked, lately."""
        return await self.page.locator("tandem-inbox [role=status] p").all_inner_texts()


async def shown(
    browsers: Browsers,
    system: System,
    user: str,
    *,
    language: str = "en",
    options: Any = None,
    early: bool = False,
    context: BrowserContext | None = None,
    **browser: Any,
) -> Component:
    """The element, showing the inbox of `user`.

    Arguments:
        options: those of `createInbox`.
        early: the element stands on the page, and has got its inbox, before its class is loaded.
        context: the browser, if it is open; `browser` are the options of a new one.
    """
    context = context or await browsers.person(**browser)
    page = await context.new_page()
    policy = (await context.request.get("/")).headers["content-security-policy"]

    async def answer(route: Route) -> None:
        await route.fulfill(body=PAGE, content_type="text/html", headers={"Content-Security-Policy": policy})

    await page.route("**/component", answer)
    await page.goto("/component")
    places = {"push": system.push, "connection": system.connection.removesuffix("/v1")}
    await page.evaluate(SHOW, [places, system.token(user), language, options or {}, early])
    return Component(page, user)
