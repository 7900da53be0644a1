"""The scripts of the documents, as they stand there, in a page: each hears of a new item."""

import asyncio
import itertools
import json

import pytest
from playwright.async_api import Page
from playwright.async_api import TimeoutError as NotYet

from tests.docs.blocks import of_language
from tests.docs.runners import SCRIPTS, Script
from tests.system.browser.conftest import Browsers
from tests.system.browser.test_react import bundled
from tests.system.conftest import People
from tests.system.device import PATIENCE
from tests.system.system import System

AROUND = """([token]) => {
  document.body.innerHTML = "<tandem-inbox></tandem-inbox>";
  Object.assign(globalThis, { token, said: [], session: { token: () => token } });
  globalThis.heard = (text) => said.some((each) => String(each).includes(text));
  globalThis.heardTwice = () => said.some((each, at) => each.startsWith("New ") && said.indexOf(each) < at);
  console.log = (text) => said.push(text);
}"""
"""The page that a script is put into: somebody has signed in."""

AGAIN = 300
"""Milliseconds until another item is sent: a socket that was not open yet is sent what comes, not what came."""


def placed(script: str, system: System, user: str) -> str:
    """A script that speaks to this system, of this user."""
    connection = system.connection.removesuffix("/v1")
    for said, meant in {
        "ws://127.0.0.1:8003/v1/push": system.push,
        "wss://push.example.org/v1/push": system.push,
        "wss://push.example/v1/push": system.push,
        "`wss://${location.host}/v1/push`": json.dumps(system.push),
        "http://127.0.0.1:8002": connection,
        "https://connection.example.org": connection,
        "https://inbox.example.org": system.inbox.removesuffix("/v1/inbox"),
        '"dave"': json.dumps(user),
    }.items():
        script = script.replace(said, meant)
    return script


async def module(document: str, script: Script) -> str:
    """All scripts of a document as one module; with React, as a bundler makes it."""
    text = "\n".join([script.before, *of_language(document, "jsx"), *of_language(document, "js"), script.after])
    if of_language(document, "jsx"):
        return await bundled(text)
    return text.replace('"tandem-inbox/', '"/web/').replace('"./realtime.js"', '"/web/realtime.js"')


async def sent_items_until(page: Page, shows: str, system: System, user: str) -> None:
    """Send an item, and another one, until the page shows what it should."""
    async with asyncio.timeout(PATIENCE):
        for number in itertools.count():
            await system.item(user, f"New {number}")
            try:
                await page.wait_for_function(shows, timeout=AGAIN)
            except NotYet:
                continue
            return


@pytest.mark.parametrize("document", SCRIPTS)
async def test_the_scripts_of_a_document_work(
    document: str, system: System, people: People, browsers: Browsers
) -> None:
    """With nothing around them but a signed-in person, and what the samples call the application's own."""
    user = people.someone("dave")
    page = await browsers.blank(await browsers.person())
    await page.evaluate(AROUND, [system.token(user)])
    script = placed(await module(document, SCRIPTS[document]), system, user)
    await page.add_script_tag(content=script, type="module")
    await sent_items_until(page, SCRIPTS[document].shows, system, user)
