"""axe-core finds nothing in any state of `<tandem-inbox>`. (What it cannot find is in test_component_keyboard.py.)"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.system.browser.component import Component, fill, shown
from tests.system.browser.conftest import Browsers
from tests.system.conftest import People
from tests.system.system import System

AXE = (Path(__file__).parents[3] / "web/node_modules/axe-core/axe.min.js").read_text("utf-8")

PHONE = {"width": 360, "height": 740}

RUN = """async () => {
  const settled = document.querySelector("tandem-inbox").shadowRoot.getAnimations()
    .filter(({ effect }) => effect.getComputedTiming().iterations !== Infinity).map(({ finished }) => finished);
  await Promise.allSettled(settled); // half faded in, nothing has the contrast that it will have
  const { violations, passes } = await axe.run(document, { resultTypes: ["violations"] });
  return [passes.length, violations.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes[0].html}`)];
}"""


async def complaints(inbox: Component) -> list[str]:
    """What axe-core finds on the page as it is, of any weight."""
    if not await inbox.page.evaluate("'axe' in window"):
        await inbox.page.evaluate(AXE)
    passed, violations = await inbox.page.evaluate(RUN)
    assert passed > 10, "it has looked"
    found: list[str] = violations
    return found


@pytest.mark.parametrize(
    "look",
    [{}, {"color_scheme": "dark"}, {"language": "de", "viewport": PHONE, "has_touch": True}],
    ids=["light", "dark", "german on a phone"],
)
async def test_there_is_nothing_to_complain_of_in_a_list(
    browsers: Browsers, system: System, people: People, look: dict[str, Any]
) -> None:
    """With an answer, a suggestion and notices, read and unread; with a note to undo; with nothing left to read."""
    alice, bob = await people.partners()
    await system.answer(alice)
    await fill(system, bob, 2, read=True)
    await fill(system, bob, 2, first=3)
    inbox = await shown(browsers, system, bob, options={"undoFor": 60_000}, **look)
    await expect(inbox.entries).to_have_count(6)
    await expect(inbox.connection).to_have_text("Live")
    assert await complaints(inbox) == []
    await inbox.page.locator("tandem-inbox button.remove").first.click()
    await expect(inbox.page.locator("tandem-inbox .toast")).to_be_visible()
    assert await complaints(inbox) == []
    await inbox.page.locator("tandem-inbox .read-all").click()
    await inbox.page.locator("tandem-inbox .filter").last.click()
    await expect(inbox.page.locator("tandem-inbox .pane h3")).to_be_visible()
    assert await complaints(inbox) == []


async def test_there_is_nothing_to_complain_of_without_a_list(
    browsers: Browsers, system: System, people: People
) -> None:
    """While it is on its way, when it is empty, and when the connection is gone."""
    context = await browsers.person()
    go_on = asyncio.Event()

    async def later(route: Route) -> None:
        await go_on.wait()
        await route.continue_()

    await context.route("**/v1/inbox/items?*", later)
    inbox = await shown(browsers, system, people.someone("bob"), context=context)
    await expect(inbox.page.locator("tandem-inbox .skeleton").first).to_be_visible()
    assert await complaints(inbox) == []
    go_on.set()
    await expect(inbox.element.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    assert await complaints(inbox) == []
    await context.set_offline(True)
    await expect(inbox.connection).to_have_text("Offline")
    assert await complaints(inbox) == []


async def test_there_is_nothing_to_complain_of_in_what_floats_above_the_list(
    browsers: Browsers, system: System, people: People
) -> None:
    """How many are new, and what did not work, in a list that is scrolled."""
    bob = people.someone("bob")
    await fill(system, bob, 25)
    context = await browsers.person()
    await context.route("**/read", lambda route: route.fulfill(status=403, json={"detail": "not today"}))
    inbox = await shown(browsers, system, bob, context=context)
    await inbox.button("Mark as read: Item 5", exact=True).click()
    await system.item(bob)
    await expect(inbox.button("1 new")).to_be_visible()
    await expect(inbox.page.locator("tandem-inbox .problem")).to_be_visible()
    assert await complaints(inbox) == []
