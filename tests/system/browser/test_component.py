"""What `<tandem-inbox>` shows and does, with the real services behind it and under the policy of the real page."""

import asyncio

from playwright.async_api import Route, expect

from tests.system.browser.component import fill, shown
from tests.system.browser.conftest import Browsers
from tests.system.conftest import People
from tests.system.system import System

ATTACK = "<img src=x onerror=window.attacked=1>"


async def unread_count(system: System, user: str) -> int:
    """What the server says."""
    count: int = (await system.get(f"{system.inbox}/unread-count", user))["unread_count"]
    return count


async def test_an_item_is_marked_read_by_its_button(browsers: Browsers, system: System, people: People) -> None:
    """The row, the badge and the server agree, and a screen reader is told."""
    bob = people.someone("bob")
    await fill(system, bob, 2)
    inbox = await shown(browsers, system, bob)
    await expect(inbox.badge).to_have_text("2")
    await expect(inbox.entries).to_have_count(2)
    await inbox.button("Mark as read: Item 2").click()
    await expect(inbox.badge).to_have_text("1")
    await expect(inbox.button("Mark as read: Item 2")).to_have_count(0)
    await expect(inbox.button("Unread: Item 2")).to_have_count(0)
    await expect(inbox.button("Unread: Item 1")).to_be_visible()
    assert await inbox.told() == ["Marked as read."]
    await inbox.confirmed()
    assert await unread_count(system, bob) == 1


async def test_all_are_marked_read_at_once(browsers: Browsers, system: System, people: People) -> None:
    """The badge goes; the button stays where it is, with the focus on it, and does nothing more."""
    bob = people.someone("bob")
    await fill(system, bob, 3)
    inbox = await shown(browsers, system, bob)
    await expect(inbox.badge).to_have_text("3")
    await expect(inbox.entries).to_have_count(3)
    await inbox.button("Mark all as read").click()
    await expect(inbox.badge).to_be_hidden()
    await expect(inbox.button("Mark all as read")).to_be_focused()
    await expect(inbox.button("Mark all as read")).to_be_disabled()
    await expect(inbox.element.get_by_text("All marked as read.")).to_have_count(1)
    await inbox.confirmed()
    assert await unread_count(system, bob) == 0


async def test_the_filter_shows_what_is_unread_and_says_when_nothing_is(
    browsers: Browsers, system: System, people: People
) -> None:
    """An item that is read leaves the filtered list; the way back to all stands where the list was."""
    bob = people.someone("bob")
    await fill(system, bob, 1, read=True)
    await fill(system, bob, 1, first=2)
    inbox = await shown(browsers, system, bob)
    await expect(inbox.entries).to_have_count(2)
    await inbox.button("Unread", exact=True).click()
    await expect(inbox.entries).to_have_count(1)
    await inbox.button("Mark as read: Item 2").click()
    await expect(inbox.element.get_by_role("heading", name="You have read everything")).to_be_focused()
    await inbox.button("Show all").click()
    await expect(inbox.entries).to_have_count(2)
    assert await inbox.focused() == "Item 2"


async def test_an_inbox_with_nothing_in_it_says_what_will_come(
    browsers: Browsers, system: System, people: People
) -> None:
    """And gives way to the first item."""
    bob = people.someone("bob")
    inbox = await shown(browsers, system, bob)
    await expect(inbox.element.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    await system.item(bob, "The first one")
    await expect(inbox.entry("Unread: The first one")).to_be_visible()
    await expect(inbox.element.get_by_role("heading", name="Nothing here yet")).to_have_count(0)


async def test_while_the_list_is_on_its_way_its_outline_is_shown(
    browsers: Browsers, system: System, people: People
) -> None:
    """Nobody takes it for an empty inbox, nor does a screen reader hear of grey boxes."""
    bob = people.someone("bob")
    await fill(system, bob, 1)
    context = await browsers.person()
    go_on = asyncio.Event()

    async def later(route: Route) -> None:
        await go_on.wait()
        await route.continue_()

    await context.route("**/v1/inbox/items?*", later)
    inbox = await shown(browsers, system, bob, context=context)
    await expect(inbox.element.get_by_text("Loading your inbox")).to_be_attached()
    await expect(inbox.page.locator("tandem-inbox .skeleton").first).to_be_visible()
    await expect(inbox.element.get_by_text("Nothing here yet")).to_have_count(0)
    go_on.set()
    await expect(inbox.entries).to_have_count(1)
    await expect(inbox.page.locator("tandem-inbox .skeleton")).to_have_count(0)


async def test_a_suggestion_stands_in_the_list_and_asks_the_page_to_open_it(
    browsers: Browsers, system: System, people: People
) -> None:
    """The page gets the entry as the inbox has it."""
    _, bob = await people.partners()
    inbox = await shown(browsers, system, bob)
    today = await system.get(f"{system.connection}/daily-connections/today", bob)
    row = inbox.entry(today["question"])
    await expect(row).to_contain_text("Waiting for your answer")
    opened = await inbox.page.evaluate_handle(
        "() => ({ entry: new Promise((done) => addEventListener('tandem-open', ({ detail }) => done(detail))) })"
    )
    await row.get_by_role("button").click()
    entry = await opened.evaluate("({ entry }) => entry")
    assert (entry["type"], entry["suggestion"]["id"]) == ("suggestion", today["id"])


async def test_opening_an_item_reads_it_unless_the_page_takes_that_over(
    browsers: Browsers, system: System, people: People
) -> None:
    """A cancelled `tandem-open` leaves everything to the page."""
    bob = people.someone("bob")
    await fill(system, bob, 2)
    inbox = await shown(browsers, system, bob)
    await inbox.button("Unread: Item 2").click()
    await expect(inbox.badge).to_have_text("1")
    await inbox.page.evaluate("addEventListener('tandem-open', (event) => event.preventDefault())")
    await inbox.button("Unread: Item 1").click()
    await inbox.button("Delete: Item 2").click()  # behind it in the queue, so it would have been done by then
    await expect(inbox.entries).to_have_count(1)
    await expect(inbox.badge).to_have_text("1")


async def test_what_the_server_refuses_is_taken_back_and_said(
    browsers: Browsers, system: System, people: People
) -> None:
    """In a note that stays until it is dismissed or was long enough there; the focus is not lost with it."""
    bob = people.someone("bob")
    await fill(system, bob, 1)
    context = await browsers.person()
    problem = {"title": "Forbidden", "status": 403, "detail": "not today"}
    await context.route("**/read", lambda route: route.fulfill(status=403, json=problem))
    inbox = await shown(browsers, system, bob, context=context)
    await inbox.button("Mark as read: Item 1").click()
    await expect(inbox.page.locator("tandem-inbox .toast")).to_contain_text("That did not work: not today")
    await expect(inbox.badge).to_have_text("1")
    assert (await inbox.told())[-1] == "That did not work: not today"
    await inbox.button("Dismiss").click()
    await expect(inbox.page.locator("tandem-inbox .toast")).to_have_count(0)
    assert await inbox.focused() == "Unread: Item 1"


async def test_what_is_done_offline_waits_visibly_and_is_sent_on_return(
    browsers: Browsers, system: System, people: People
) -> None:
    """The indicator says that one is offline, and how much waits."""
    bob = people.someone("bob")
    await fill(system, bob, 1)
    inbox = await shown(browsers, system, bob)
    await expect(inbox.connection).to_have_text("Live")
    await expect(inbox.button("Mark as read: Item 1")).to_be_visible()  # the items are fetched when it is live
    await inbox.page.context.set_offline(True)
    await expect(inbox.connection).to_have_text("Offline")
    await inbox.button("Mark as read: Item 1").click()
    await expect(inbox.connection).to_have_text("Offline1 change waits")
    assert await unread_count(system, bob) == 1
    await inbox.page.context.set_offline(False)
    await expect(inbox.connection).to_have_text("Live")
    await inbox.confirmed()
    assert await unread_count(system, bob) == 0


async def test_nothing_that_arrives_becomes_html(browsers: Browsers, system: System, people: People) -> None:
    """A title is shown as it was written: in the list, when it arrives, in the note when it goes."""
    bob = people.someone("bob")
    await system.item(bob, ATTACK)
    inbox = await shown(browsers, system, bob)
    await expect(inbox.entry(f"Unread: {ATTACK}")).to_be_visible()
    await system.item(bob, f"{ATTACK} again")
    await expect(inbox.element.get_by_role("status")).to_contain_text(f"New: {ATTACK} again")
    await inbox.button(f"Delete: {ATTACK} again").click()
    await expect(inbox.page.locator("tandem-inbox .toast")).to_contain_text(f"Deleted: {ATTACK} again")
    await expect(inbox.page.locator("tandem-inbox img")).to_have_count(0)
    assert await inbox.page.evaluate("window.attacked") is None


async def test_the_words_are_german_where_the_element_is(browsers: Browsers, system: System, people: People) -> None:
    """Titles that the service made too, and times; those that somebody wrote are left as they are."""
    alice, bob = await people.partners()
    await fill(system, bob, 1)
    answer = await system.answer(alice)
    question = (await system.get(f"{system.connection}/daily-connections/today", bob))["question"]
    inbox = await shown(browsers, system, bob, language="de-AT")
    await expect(inbox.element.get_by_role("heading", name="Eingang")).to_be_visible()
    await expect(inbox.button(f"Löschen: {alice} hat geantwortet: {question}")).to_be_visible()
    await expect(inbox.entry("Ungelesen: Item 1")).to_contain_text("jetzt")
    await expect(inbox.element.get_by_text("Wartet auf deine Antwort")).to_be_visible()
    assert answer["author_id"] == alice


async def test_each_word_can_be_replaced(browsers: Browsers, system: System, people: People) -> None:
    """At any time; a phrase by number too. What is not replaced stays."""
    bob = people.someone("bob")
    await fill(system, bob, 2)
    inbox = await shown(browsers, system, bob)
    await inbox.element.evaluate(
        "(element) => (element.strings = { title: 'Post', unread: { one: 'one left', other: '{count} left' } })"
    )
    await expect(inbox.element.get_by_role("heading", name="Post")).to_be_visible()
    await expect(inbox.element.get_by_text("2 left")).to_be_attached()
    await expect(inbox.button("Delete: Item 1")).to_be_visible()
    await inbox.button("Mark as read: Item 1").click()
    await expect(inbox.element.get_by_text("one left")).to_be_attached()


async def test_the_theme_is_the_readers_unless_the_page_sets_one(
    browsers: Browsers, system: System, people: People
) -> None:
    """And each colour can be set from outside."""
    inbox = await shown(browsers, system, people.someone("bob"), color_scheme="dark")
    panel = inbox.page.locator("tandem-inbox .panel")
    await expect(panel).to_have_css("background-color", "rgb(20, 22, 27)")
    await inbox.element.evaluate("(element) => element.setAttribute('theme', 'light')")
    await expect(panel).to_have_css("background-color", "rgb(246, 246, 249)")
    await inbox.element.evaluate("(element) => element.style.setProperty('--tandem-panel', 'rgb(1, 2, 3)')")
    await expect(panel).to_have_css("background-color", "rgb(1, 2, 3)")


async def test_an_element_that_was_there_before_its_class_shows_what_it_was_given(
    browsers: Browsers, system: System, people: People
) -> None:
    """And one that is taken out of the page listens no longer until it is put back."""
    bob = people.someone("bob")
    await fill(system, bob, 1)
    inbox = await shown(browsers, system, bob, early=True)
    await expect(inbox.entries).to_have_count(1)
    await inbox.page.evaluate("(window.taken = document.querySelector('tandem-inbox')).remove()")
    await system.item(bob, "Meanwhile")
    await inbox.until("state.entries.length === 2")
    assert await inbox.page.evaluate("taken.shadowRoot.querySelectorAll('li').length") == 1
    await inbox.page.evaluate("document.querySelector('main').append(taken)")
    await expect(inbox.entries).to_have_count(2)
