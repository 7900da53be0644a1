"""Five hundred items in `<tandem-inbox>`: the page stays as quick as with five.

The Performance API tells of a long task by the clock on the wall, which runs on while another process has the
processor, and says nothing of layout without a script. So the browser's own trace is asked as well, for each task's
time on the processor: that is what the code here can answer for.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.system.browser.component import Component, fill, shown
from tests.system.browser.conftest import Browsers
from tests.system.conftest import People
from tests.system.device import PATIENCE
from tests.system.system import System

pytestmark = pytest.mark.long

LONG = 50
"""ms; from here on a task is a long one (W3C Long Tasks API, section 1)."""

ROUNDED = 10
"""ms; the Performance API does not tell everything exactly."""

ITEMS = 500

WATCH_TASKS = """() => {
  const { startTime } = performance.mark("watched");
  window.tasks = [];
  new PerformanceObserver((seen) => tasks.push(...seen.getEntries().filter((each) => each.startTime > startTime)))
    .observe({ type: "longtask" });
}"""

WATCH_ROWS = """({ shadowRoot }) => {
  const list = shadowRoot.querySelector("ol");
  window.touched = new Set();
  new MutationObserver((changes) => {
    const nodes = changes.flatMap(({ target, addedNodes, removedNodes }) =>
      target === list ? [...addedNodes, ...removedNodes] : [target instanceof Element ? target : target.parentElement]);
    for (const node of nodes.filter((each) => !each.closest("time"))) { // time passes in every row
      touched.add(node.closest("li").querySelector(".title").textContent);
    }
  }).observe(list, { subtree: true, childList: true, attributes: true, characterData: true });
}"""
"""Keeps the titles of the rows in which anything is changed."""

LIST_ALONE = """async () => {
  const [{ List }, { speaker }, { teller }, { styles }] = await Promise.all(
    ["list", "strings", "times", "styles"].map((each) => import(`/web/tandem-inbox/${each}.js`)));
  const host = document.body.appendChild(document.createElement("div"));
  const root = host.attachShadow({ mode: "open" });
  const list = new List(speaker("en", {}), teller("en"), {});
  const item = { sender_id: null, title: "One", body: "of many", is_read: false, created_at: "2026-03-10T12:00:00Z" };
  const entries = Array.from({ length: 2000 }, (_, key) => ({ type: "item", key, item }));
  root.adoptedStyleSheets = [styles()];
  root.append(list.element);
  window.render = () => new Promise((done) => {
    const look = () => (root.querySelectorAll("li").length === entries.length ? done() : requestAnimationFrame(look));
    list.render(entries, "all");
    look();
  });
}"""
"""The list without an inbox; `render()` resolves when all of its rows are there."""

ROWS = """({ shadowRoot }, [count, scrolls]) => new Promise((done) => {
  const look = () => {
    const rows = shadowRoot.querySelectorAll("li");
    if (scrolls) {
      rows[rows.length - 1]?.scrollIntoView();
    }
    requestAnimationFrame(rows.length === count ? done : look);
  };
  look();
})"""
"""Resolves when there are so many rows. Playwright's selectors would themselves be long tasks in so long a list."""


@pytest.fixture
async def inbox(browsers: Browsers, system: System, people: People) -> Component:
    """All of the list, as somebody has it who scrolls to its end."""
    bob = people.someone("bob")
    await fill(system, bob, ITEMS)
    inbox = await shown(browsers, system, bob, options={"pageSize": 100})
    await rows(inbox, ITEMS, scrolls=True)
    return inbox


async def rows(inbox: Component, count: int, *, scrolls: bool = False) -> None:
    """Wait until there are so many rows; `scrolls`: and keep at the end of the list meanwhile."""
    async with asyncio.timeout(PATIENCE):
        await inbox.element.evaluate(ROWS, [count, scrolls])


async def longest_task(chromium: Browser, inbox: Component, act: Callable[[], Awaitable[object]]) -> float:
    """For how many ms, at most, a task of the page had the processor meanwhile."""
    await chromium.start_tracing(page=inbox.page, categories=["toplevel", "blink.user_timing", "devtools.timeline"])
    await inbox.page.evaluate(WATCH_TASKS)
    await act()
    told: list[float] = await inbox.page.evaluate(
        "new Promise((done) => setTimeout(() => done(tasks.map(({ duration }) => duration))))"
    )
    events: list[dict[str, Any]] = json.loads(await chromium.stop_tracing())["traceEvents"]
    [thread] = {(event["pid"], event["tid"]) for event in events if event["name"] == "watched"}
    tasks = [  # those that have ended
        each
        for each in events
        if each["name"].endswith("RunTask") and (each["pid"], each["tid"]) == thread and "tdur" in each
    ]
    longest = max(task["dur"] for task in tasks) / 1000
    assert max(told, default=0) < longest + ROUNDED, "what the page is told of is in the trace"
    busy: float = max(task["tdur"] for task in tasks) / 1000
    return busy


async def test_one_more_arrives_without_a_long_task(chromium: Browser, inbox: Component, system: System) -> None:
    """At the beginning of a list of five hundred, where it slides in and pushes all others down."""
    await inbox.element.evaluate("({ shadowRoot }) => shadowRoot.querySelector('li').scrollIntoView()")

    async def arrive() -> None:
        await system.item(inbox.user, "One more")
        await rows(inbox, ITEMS + 1)

    assert await longest_task(chromium, inbox, arrive) < LONG


async def test_as_one_list_it_renders_without_a_long_task(chromium: Browser, inbox: Component) -> None:
    """An element that gets all five hundred at once makes them in slices."""

    async def render() -> None:
        await inbox.element.evaluate("(element) => { element.inbox = null; element.inbox = window.inbox; }")
        await rows(inbox, ITEMS)

    assert await longest_task(chromium, inbox, render) < LONG
    assert await inbox.page.evaluate("inbox.state.entries.length") == ITEMS


async def test_many_more_at_once_are_made_in_slices(chromium: Browser, browsers: Browsers) -> None:
    """Two thousand rows, which nobody could make within the bound at once, are no long task either."""
    inbox = Component(await browsers.blank(await browsers.person()), "nobody")
    await inbox.page.evaluate(LIST_ALONE)

    async def render() -> None:
        async with asyncio.timeout(PATIENCE):
            await inbox.page.evaluate("render()")

    assert await longest_task(chromium, inbox, render) < LONG


async def test_a_change_touches_its_row_and_no_other(inbox: Component, system: System) -> None:
    """An item that arrives, one that was read elsewhere, one that is deleted: one row each, of five hundred."""
    items = (await system.get(f"{system.inbox}/items", inbox.user))["items"]
    await inbox.element.evaluate(WATCH_ROWS)
    await system.item(inbox.user, "One more")
    await rows(inbox, ITEMS + 1)
    await system.post(f"{system.inbox}/items/{items[10]['id']}/read", inbox.user)
    await expect(inbox.badge).to_have_text(str(ITEMS))
    await system.ask("DELETE", f"{system.inbox}/items/{items[20]['id']}", inbox.user)
    await rows(inbox, ITEMS)
    assert await inbox.page.evaluate("[...touched]") == ["One more", items[10]["title"], items[20]["title"]]
