"""What two people see who have the demo page open, one of them in two windows."""

import json
import random
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import BrowserContext, Locator, expect

from devstack.waiting import until
from tests.system.browser.conftest import Browsers
from tests.system.browser.window import Window, same
from tests.system.conftest import People
from tests.system.system import System

pytestmark = pytest.mark.long

UNDO = 0.2
"""Seconds in which a deletion can be undone here; six on the usual page."""

ACTIONS = 200


async def stays(window: Window) -> Callable[[], Awaitable[bool]]:
    """Mark the page; whether it is still the same one, never reloaded."""
    await window.page.evaluate("window.marked = true")
    return lambda: window.page.evaluate("window.marked === true")


async def test_an_answer_appears_at_the_partner_without_a_reload(browsers: Browsers, people: People) -> None:
    """In the question's place and in the inbox; the author's suggestion goes, and the partner's stays."""
    alice, bob = await people.partners()
    hers = await Window.open(await browsers.person(), alice, bob)
    his = await Window.open(await browsers.person(), bob, alice)
    same_page = await stays(his)
    question = await hers.question.locator(".asked").inner_text()
    await expect(his.question.locator(".missing dt")).to_have_text(alice)

    await hers.inbox.get_by_role("button", name=question).click()
    await expect(hers.question.get_by_label("Your answer")).to_be_focused()
    await hers.page.keyboard.type("In the allotment.\nBehind the railway line.")
    await hers.question.get_by_role("button", name="Answer").click()

    await expect(his.inbox.get_by_role("heading", name=f"{alice} answered: {question}")).to_be_visible()
    await expect(his.inbox.locator("li.row:not(.suggestion) .body")).to_contain_text("In the allotment.")
    await expect(his.question.locator("dd").first).to_have_text("In the allotment.\nBehind the railway line.")
    await expect(his.page).to_have_title(f"(1) {bob} · Tandem")
    await expect(his.inbox.locator("li.suggestion")).to_have_count(1)
    await expect(hers.inbox.locator("li.suggestion")).to_have_count(0)
    await expect(hers.question.get_by_label("Your answer")).to_be_hidden()
    await expect(hers.question.locator(".mine dt")).to_have_text(f"{alice} (you)")
    assert await same_page()


async def test_two_windows_of_one_person_show_the_same(browsers: Browsers, system: System, people: People) -> None:
    """What is marked read or deleted in one of them is so in the other; of one socket, the first one holds it."""
    alice, bob = await people.partners()
    await system.item(bob, "One")
    await system.item(bob, "Two")
    context = await browsers.person()
    first, second = [await Window.open(context, bob, alice, undo=UNDO) for _ in range(2)]
    await expect(first.frames.locator(".holder")).to_have_text("this tab holds the socket")
    await expect(second.frames.locator(".holder")).to_have_text("another tab holds the socket")
    await first.inbox.get_by_role("button", name="Mark as read: One").click()
    await expect(second.inbox.get_by_role("button", name="Unread: One")).to_have_count(0)
    await expect(second.inbox.locator(".badge [aria-hidden]")).to_have_text("1")
    await second.inbox.get_by_role("button", name="Delete: Two").click()
    await expect(first.inbox.get_by_role("heading", name="Unread: Two", exact=True)).to_have_count(0)
    await expect(first.inbox.locator(".badge")).to_be_hidden()
    assert await until(lambda: same(system, first, second), within=5)
    assert (await first.look())["titles"] == ["One"]


async def test_the_badge_is_the_servers_count_after_each_of_200_actions(
    browsers: Browsers, system: System, people: People
) -> None:
    """In three windows, one of them in another browser; after each action all say what must be so now."""
    alice, bob = await people.partners()
    small = {"width": 400, "height": 300}  # most of what this would take otherwise is painting
    context, elsewhere = [await browsers.person(reduced_motion="reduce", viewport=small) for _ in range(2)]
    windows = [await Window.open(each, bob, alice, undo=0.05) for each in (context, context, elsewhere)]
    chance = random.Random(20261123)
    unread: dict[str, bool] = {}  # by title: what must be so

    async def agreed() -> bool:
        fresh = {title for title, is_unread in unread.items() if is_unread}
        for window in windows:
            seen = await window.look()
            if seen["unread"] != len(fresh) or set(seen["titles"]) != unread.keys() or set(seen["fresh"]) != fresh:
                return False
        answer = await system.get(f"{system.inbox}/unread-count", bob)
        return bool(answer["unread_count"] == len(fresh))

    for number in range(ACTIONS):
        window = chance.choice(windows)
        title = chance.choice(sorted(unread)) if unread else ""
        match chance.choices(["arrive", "read", "open", "remove", "all"], [40, 20, 10, 25, 5])[0]:
            case "read" if unread.get(title):
                await window.press("read", title)
                unread[title] = False
            case "open" if title:
                await window.press("open", title)
                unread[title] = False
            case "remove" if title:
                await window.press("remove", title)
                del unread[title]
            case "all":
                await window.read_all()
                unread = dict.fromkeys(unread, False)
            case _:
                await system.item(bob, f"Notice {number}")
                unread[f"Notice {number}"] = True
        assert await until(agreed, within=10), f"after action {number}"
    assert await same(system, *windows)


async def test_signing_out_in_one_window_signs_out_all(browsers: Browsers, people: People) -> None:
    """Of this person in this browser; the partner in the same browser stays."""
    alice, bob = await people.partners()
    context = await browsers.person()
    first, second, partners = [await Window.open(context, *pair) for pair in ((alice, bob), (alice, bob), (bob, alice))]
    await first.page.get_by_role("button", name="Sign out").click()
    for window in (first, second):
        await expect(window.page.get_by_role("heading", name="Who are you?")).to_be_visible()
    kept = await second.page.evaluate("Object.keys(sessionStorage).filter((key) => key.includes('push'))")
    assert kept == []
    await expect(partners.inbox.locator(".connection")).to_contain_text("Live")


async def test_the_partner_opens_in_a_second_window(browsers: Browsers, people: People) -> None:
    """By a link that is there for those who have but one browser."""
    alice, bob = await people.partners()
    context = await browsers.person()
    hers = await Window.open(context, alice, bob)
    async with context.expect_page() as opened:
        await hers.page.get_by_role("link", name=f"Open as {bob}").click()
    his = Window(await opened.value, bob)
    await his.ready()
    await expect(his.page.locator(".who")).to_contain_text(f"You are {bob}")


async def test_the_frames_are_shown_as_they_come(browsers: Browsers, system: System, people: People) -> None:
    """In one line each, and whole if somebody opens one; a pause keeps them back, and the filter hides heartbeats."""
    alice, bob = await people.partners()
    window = await Window.open(await browsers.person(), bob, alice)
    rows = window.frames.locator("ol > li")
    await expect(rows).to_have_count(1)
    await expect(rows.locator(".event")).to_have_text("hello")
    item = await system.item(bob, "<b>One</b>")
    created = rows.filter(has_text="inbox:created")
    await created.locator("summary").click()
    frame = json.loads(await created.locator("pre").inner_text())
    assert (frame["event"], frame["data"]) == ("inbox:created", item)
    await expect(created.locator(".seq")).to_have_text(f"#{frame['seq']}")

    await window.frames.get_by_role("button", name="Pause").click()
    before = await rows.count()
    await system.item(bob, "Two")
    await expect(window.frames.get_by_role("button", name="Go on (2)")).to_be_visible()
    assert await rows.count() == before
    await window.frames.get_by_role("button", name="Go on (2)").click()
    await expect(rows).to_have_count(before + 2)
    await expect(rows.first.locator(".event")).to_have_text("inbox:unread")
    await window.frames.get_by_label("Heartbeats").uncheck()
    await expect(window.frames.locator("ol")).to_have_class("quiet")


async def test_language_and_colours_are_kept(browsers: Browsers, people: People) -> None:
    """They are chosen without a reload, and are still so after one."""
    alice, bob = await people.partners()
    window = await Window.open(await browsers.person(), alice, bob)
    same_page = await stays(window)
    await window.page.get_by_label("Language").select_option("de")
    await window.page.get_by_label("Farben").select_option("dark")
    assert await same_page()
    for _ in range(2):
        await expect(window.question.get_by_role("heading")).to_have_text("Frage des Tages")
        await expect(window.inbox.get_by_role("heading", name="Eingang")).to_be_visible()
        await expect(window.page.locator("html")).to_have_attribute("lang", "de")
        await expect(window.page.locator("body")).to_have_css("color", "rgb(233, 234, 237)")
        await window.page.reload()


async def tab_to(target: Locator) -> None:
    """Press the Tab key until the focus is there."""
    for _ in range(40):
        if await target.evaluate("each => each.matches(':focus')"):
            return
        await target.page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not lead to {target}")


async def signed_in_by_keyboard(context: BrowserContext) -> None:
    """From the bare address to alice's page."""
    page = await context.new_page()
    await page.goto("/")
    await tab_to(page.get_by_role("link", name="I am alice"))
    await page.keyboard.press("Enter")
    await expect(page).to_have_url("/?as=alice")
    await page.close()


async def test_the_whole_flow_works_by_keyboard_alone(browsers: Browsers, system: System, people: People) -> None:
    """Sign in, answer, read, delete, undo, make trouble, look at a frame, sign out."""
    alice, bob = await people.partners()
    await system.item(alice, "One")
    await system.item(alice, "Two")
    context = await browsers.person()
    await signed_in_by_keyboard(context)
    window = await Window.open(context, alice, bob)
    page, press = window.page, window.page.keyboard.press

    await tab_to(window.question.get_by_label("Your answer"))
    await page.keyboard.type("By keyboard.")
    await press("Control+Enter")
    await expect(window.question.locator(".mine dd")).to_have_text("By keyboard.")
    await expect(window.question.get_by_role("heading")).to_be_focused()

    await tab_to(window.inbox.get_by_role("button", name="Unread: Two"))
    await press("Enter")
    await expect(window.inbox.locator(".badge [aria-hidden]")).to_have_text("1")
    await press("ArrowDown")
    await press("Delete")
    await expect(window.inbox.get_by_role("heading", name="Unread: One", exact=True)).to_have_count(0)
    await press("Control+z")
    await expect(window.inbox.get_by_role("heading", name="Unread: One", exact=True)).to_be_visible()

    await tab_to(window.trouble.get_by_role("button", name="Cut the socket"))
    await press("Enter")
    await expect(window.trouble.locator(".report .verdict")).to_contain_text("whole again")
    await tab_to(window.frames.locator("summary").first)
    await press("Enter")
    await expect(window.frames.locator("pre").first).to_be_visible()
    await tab_to(page.get_by_role("button", name="Sign out"))
    await press("Enter")
    await expect(page.get_by_role("heading", name="Who are you?")).to_be_visible()
