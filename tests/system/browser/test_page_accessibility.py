"""What axe-core, which knows the rules of WCAG, has to say about the whole page."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.system.browser.conftest import Browsers
from tests.system.browser.window import Window
from tests.system.conftest import ROOT, People
from tests.system.system import System

pytestmark = pytest.mark.long

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"


async def complaints(page: Page) -> list[str]:
    """What is serious or critical, and where."""
    results: dict[str, Any] = await page.evaluate("axe.run()")
    assert len(results["passes"]) > 10, "it has looked"
    return [
        f"{rule['id']}: {node['target']}"
        for rule in results["violations"]
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_axe_finds_nothing_serious_on_the_page(
    browsers: Browsers, system: System, people: People, colours: str
) -> None:
    """Signed out; and signed in with an answer, items, a report and an open frame; wide and on a phone."""
    alice, bob = await people.partners()
    await system.item(alice, "One")
    await system.answer(bob)
    context = await browsers.person(color_scheme=colours, reduced_motion="reduce")
    await context.add_init_script(path=AXE)
    page = await context.new_page()
    await page.goto("/")
    assert await complaints(page) == []
    window = await Window.open(context, alice, bob)
    await expect(window.inbox.locator("li.row")).to_have_count(3)
    await window.make("cut")
    await window.frames.locator("summary").first.click()
    assert await complaints(window.page) == []
    await window.page.set_viewport_size({"width": 375, "height": 700})
    assert await complaints(window.page) == []
