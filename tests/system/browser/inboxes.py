"""Owns a page with an inbox in it and nothing on the screen: `inbox`, on the library as it is shipped."""

import json
from typing import Any

from playwright.async_api import BrowserContext, Page

from tests.system.browser.conftest import Browsers
from tests.system.system import System

OPEN = """async ({ push, connection, token, options }) => {
  const [{ createRealtime }, { createApi }, { createInbox }] = await Promise.all(
    ["realtime", "api", "inbox"].map((name) => import(`/web/${name}.js`)),
  );
  const getToken = () => token;
  window.realtime = createRealtime({ url: push, getToken });
  window.inbox = createInbox({ api: createApi({ connectionUrl: connection, getToken }), realtime, ...options });
  window.problems = [];
  window.news = [];
  inbox.on("problem", (problem) => problems.push(problem));
  inbox.on("news", ({ item }) => news.push(item.title));
  window.shown = () => inbox.state.entries.map(({ item, suggestion }) => item?.title ?? suggestion.question);
  window.unreadOnScreen = () => inbox.state.entries.filter(({ item }) => item && !item.is_read).length;
}"""


class InboxPage:
    """One page of one person."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    async def open(
        cls, browsers: Browsers, context: BrowserContext, system: System, user: str, **options: int
    ) -> "InboxPage":
        """A page whose inbox is live and there; `options` are those of createInbox."""
        page = await browsers.blank(context)
        told = {"push": system.push, "connection": system.connection.removesuffix("/v1")}
        await page.evaluate(OPEN, {**told, "token": system.token(user), "options": options})
        inbox = cls(page)
        await inbox.until("inbox.state.status === 'live' && !inbox.state.loading")
        return inbox

    async def until(self, condition: str) -> None:
        """Wait until something holds in the page."""
        await self.page.wait_for_function(condition, polling=20)

    async def shows(self, *titles: str) -> None:
        """Wait until it shows just this, the newest first."""
        await self.until(f"JSON.stringify(shown()) === JSON.stringify({json.dumps(titles)})")

    async def do(self, action: str) -> Any:
        """What an expression gives."""
        return await self.page.evaluate(action)

    async def settled(self) -> None:
        """Wait until the server has confirmed everything."""
        await self.until("inbox.state.waiting === 0")
