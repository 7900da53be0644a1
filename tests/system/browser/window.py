"""Owns a window of the demo page as the tests see it."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import BrowserContext, Page, expect

from tests.system.system import System

LOOK = """() => {
  const root = document.querySelector("tandem-inbox").shadowRoot;
  const badge = root.querySelector(".badge");
  const rows = [...root.querySelectorAll("li.row:not(.suggestion)")];
  return {
    unread: badge.hidden ? 0 : Number(badge.querySelector("[aria-hidden]").textContent),
    titles: rows.map((row) => row.querySelector(".title").textContent),
    fresh: rows.filter((row) => row.matches(".unread")).map((row) => row.querySelector(".title").textContent),
  };
}"""
"""What stands on the screen: the number on the badge, the titles of the items, and which of those are unread."""

PRESS = """([button, title]) => {
  const rows = [...document.querySelector("tandem-inbox").shadowRoot.querySelectorAll("li.row:not(.suggestion)")];
  rows.find((row) => row.querySelector(".title").textContent === title).querySelector(`button.${button}`).click();
}"""
"""Press a button of an item. Without waiting until nothing moves, as a person might who is very fast."""


class Window:
    """A window in which somebody has the demo page open."""

    def __init__(self, page: Page, user: str) -> None:
        self.page = page
        self.user = user
        self.inbox = page.locator("tandem-inbox")
        self.question = page.locator("#question")
        self.trouble = page.locator("#trouble")
        self.frames = page.locator("#frames")

    @classmethod
    async def open(cls, context: BrowserContext, user: str, partner: str, **durations: float) -> "Window":
        """A window of `user`, live and with everything there; `durations` in seconds, as page.js names them."""
        page = await context.new_page()
        await page.goto("/?" + urlencode({"as": user, "with": partner, **durations}))
        window = cls(page, user)
        await window.ready()
        return window

    async def ready(self) -> None:
        """Wait until it is live and has its question and its items."""
        await expect(self.inbox.locator(".connection")).to_contain_text("Live")
        await expect(self.question.locator("dt").first).to_be_visible()
        loaded = "() => document.querySelector('tandem-inbox').inbox.state.loading === false"
        await self.page.wait_for_function(loaded)

    async def look(self) -> dict[str, Any]:
        """What stands on the screen."""
        seen: dict[str, Any] = await self.page.evaluate(LOOK)
        return seen

    async def press(self, button: str, title: str) -> None:
        """Press the button `read`, `remove` or `open` of an item."""
        await self.page.evaluate(PRESS, [button, title])

    async def read_all(self) -> None:
        """Press the button that marks all as read."""
        await self.inbox.locator("button.read-all").evaluate("button => button.click()")

    async def make(self, trouble: str, *, within: float = 60) -> dict[str, float]:
        """Make trouble; what the report says: its facts, and the seconds that it took to be whole again, `after`."""
        reports = self.trouble.locator(".report")
        before = await reports.count()
        await self.trouble.locator(f"[data-trouble={trouble}]").click()
        await expect(reports.or_(self.trouble.locator(".problem:not(:empty)"))).to_have_count(
            before + 1, timeout=within * 1000
        )
        report = reports.first
        await expect(report).to_have_attribute("data-trouble", trouble)
        facts = await report.locator("dd").evaluate_all(
            "all => all.map((each) => [each.dataset.fact, each.textContent])"
        )
        after = await report.get_attribute("data-after")
        assert after is not None
        return {name: float(value) for name, value in facts} | {"after": float(after)}


async def same(system: System, *windows: Window) -> bool:
    """Whether each window shows what the server says: these items, these unread, this number."""
    page, *seen = await asyncio.gather(
        system.get(f"{system.inbox}/items?limit=200", windows[0].user), *(window.look() for window in windows)
    )
    truth = {
        "unread": page["unread_count"],
        "titles": [item["title"] for item in page["items"]],
        "fresh": [item["title"] for item in page["items"] if not item["is_read"]],
    }
    return all(each == truth for each in seen)
