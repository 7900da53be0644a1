"""The example in docs/REACT.md, bundled out of the document and run."""

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.system.browser.conftest import Browsers
from tests.system.conftest import People
from tests.system.system import System

ROOT = Path(__file__).parents[3]
ESBUILD = ROOT / "web/node_modules/.bin/esbuild"

SHOW = """
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
globalThis.show = ({ token, ...places }) => {
  const inbox = connect({ ...places, getToken: () => token });
  createRoot(document.body).render(<StrictMode><Inbox inbox={inbox} /></StrictMode>);
};
"""


def example() -> str:
    """The code in the document."""
    found = re.search(r"```jsx\n(.*?)```", (ROOT / "docs/REACT.md").read_text(), re.DOTALL)
    assert found, "the example is a block of jsx"
    return found[1]


async def bundled(source: str) -> str:
    """A program with React and the library, found by their names in package.json, as one script."""
    command = (ESBUILD, "--bundle", "--loader=jsx", "--jsx=automatic", "--log-level=warning")
    bundler = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT / "web", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    script, complaints = await bundler.communicate(source.encode())
    assert (bundler.returncode, complaints.decode()) == (0, "")
    return script.decode()


@pytest.fixture(scope="module")
async def program() -> str:
    """The example, and what puts it on a page."""
    return await bundled(f"{example()}{SHOW}")


async def shown(browsers: Browsers, system: System, user: str, program: str) -> Page:
    """A page that runs the example."""
    page = await browsers.blank(await browsers.person())
    await page.add_script_tag(content=program)
    places = {
        "pushUrl": system.push,
        "connectionUrl": system.connection.removesuffix("/v1"),
        "token": system.token(user),
    }
    await page.evaluate(f"show({json.dumps(places)})")
    await expect(page.locator("section")).to_have_attribute("aria-busy", "false")
    return page


def test_the_example_has_thirty_lines_or_so() -> None:
    """It is to be read, and copied."""
    assert len(example().splitlines()) <= 35


async def test_the_example_shows_the_inbox_and_what_arrives(
    system: System, people: People, browsers: Browsers, program: str
) -> None:
    """And does what its buttons say; somebody else's page shows nothing of it."""
    user = people.someone("bob")
    await system.item(user, "old")
    page = await shown(browsers, system, user, program)
    other = await shown(browsers, system, people.someone("eve"), program)
    rows, heading = page.locator("li"), page.get_by_role("heading")
    await expect(rows).to_contain_text(["old"])
    await system.item(user, "new")
    await expect(rows).to_contain_text(["new", "old"])
    await expect(heading).to_have_text("Inbox (2 unread)")
    await rows.first.get_by_role("button", name="Mark as read").click()
    await expect(heading).to_have_text("Inbox (1 unread)")
    await rows.first.get_by_role("button", name="Remove").click()
    await expect(rows).to_contain_text(["old"])
    await page.get_by_role("button", name="Mark all as read").click()
    await expect(heading).to_have_text("Inbox (0 unread)")
    await expect(other.get_by_role("heading")).to_have_text("Inbox (0 unread)")
    await expect(other.locator("li")).to_have_count(0)
