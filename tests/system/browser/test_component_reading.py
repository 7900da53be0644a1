"""Nothing that arrives disturbs whoever is reading in `<tandem-inbox>`: it is announced, and moves nothing."""

from playwright.async_api import expect

from tests.system.browser.component import Component, fill, shown
from tests.system.browser.conftest import Browsers
from tests.system.conftest import People
from tests.system.system import System

HOUR = 3_600_000  # ms

WINDOW = {"width": 600, "height": 700}

SLIDING = "({ shadowRoot }) => shadowRoot.getAnimations().filter((each) => each.constructor === Animation).length"


async def many(browsers: Browsers, system: System, bob: str) -> Component:
    """An inbox of thirty items that were read, of which a few are on the screen."""
    await fill(system, bob, 30, read=True)
    inbox = await shown(browsers, system, bob, viewport=WINDOW)
    await expect(inbox.entries).to_have_count(30)
    return inbox


async def top(inbox: Component, title: str) -> float:
    """How far from the upper edge of the screen a row is, in px, once everything has been laid out."""
    await inbox.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    box = await inbox.entry(title).bounding_box()
    assert box is not None
    return box["y"]


async def test_what_arrives_above_moves_nothing_and_is_counted(
    browsers: Browsers, system: System, people: People
) -> None:
    """A button says how many are new; it leads to them, and goes."""
    bob = people.someone("bob")
    inbox = await many(browsers, system, bob)
    await inbox.entry("Item 15").scroll_into_view_if_needed()
    await inbox.page.mouse.move(0, 0)
    before = await top(inbox, "Item 15")
    await system.item(bob, "News")
    await expect(inbox.button("1 new")).to_be_visible()
    assert abs(await top(inbox, "Item 15") - before) < 1
    await system.item(bob, "More news")
    await expect(inbox.button("2 new")).to_be_visible()
    assert abs(await top(inbox, "Item 15") - before) < 1
    await inbox.button("2 new").click()
    await expect(inbox.button("2 new")).to_be_hidden()
    await expect(inbox.button("Unread: More news")).to_be_focused()
    await expect(inbox.entry("Unread: More news")).to_be_in_viewport(ratio=1)


async def test_scrolling_up_to_what_is_new_takes_the_count_away(
    browsers: Browsers, system: System, people: People
) -> None:
    """Who sees it need not be told any longer."""
    bob = people.someone("bob")
    inbox = await many(browsers, system, bob)
    await inbox.entry("Item 15").scroll_into_view_if_needed()
    await system.item(bob, "News")
    await expect(inbox.button("1 new")).to_be_visible()
    await inbox.entry("Unread: News").scroll_into_view_if_needed()
    await expect(inbox.button("1 new")).to_be_hidden()


async def test_at_the_beginning_it_slides_in(browsers: Browsers, system: System, people: People) -> None:
    """Where nobody is aiming at a row, news come where one looks for them."""
    bob = people.someone("bob")
    inbox = await many(browsers, system, bob)
    await inbox.page.mouse.move(0, 0)
    first = await top(inbox, "Item 30")
    await inbox.element.evaluate(  # whether something slid would be over before one could ask
        "(element) => new MutationObserver((_, all) => {"
        f"  window.slid = ({SLIDING})(element); all.disconnect();"
        "}).observe(element.shadowRoot.querySelector('ol'), { childList: true })"
    )
    await system.item(bob, "News")
    await expect(inbox.entry("Unread: News")).to_be_in_viewport(ratio=1)
    assert await top(inbox, "Item 30") > first
    assert await inbox.page.evaluate("window.slid") == 2  # the list, and the row that comes to light
    await expect(inbox.button("1 new")).to_be_hidden()


async def test_it_does_not_slide_for_those_who_asked_for_calm(
    browsers: Browsers, system: System, people: People
) -> None:
    """The twin: with reduced motion it is there at once."""
    bob = people.someone("bob")
    await fill(system, bob, 3)
    inbox = await shown(browsers, system, bob, reduced_motion="reduce")
    await expect(inbox.entries).to_have_count(3)
    await inbox.page.evaluate("() => { window.moved = 0; Element.prototype.animate = () => void moved++; }")
    await system.item(bob, "News")
    await expect(inbox.entry("Unread: News")).to_be_visible()
    await inbox.button("Delete: News").click()
    await expect(inbox.entries).to_have_count(3)
    assert await inbox.page.evaluate("moved") == 0


async def test_a_row_that_somebody_is_at_stays_under_their_hands(
    browsers: Browsers, system: System, people: People
) -> None:
    """With the focus or the pointer on the first row, it stays where it is, and the count tells of the news."""
    bob = people.someone("bob")
    inbox = await many(browsers, system, bob)
    await inbox.page.mouse.move(0, 0)
    await inbox.entry("Item 30").get_by_role("button").first.focus()
    before = await top(inbox, "Item 30")
    await system.item(bob, "News")
    await expect(inbox.button("1 new")).to_be_visible()
    assert abs(await top(inbox, "Item 30") - before) < 1
    assert await inbox.focused() == "Item 30"
    await inbox.button("1 new").press("Enter")
    await inbox.button("All", exact=True).focus()
    await inbox.entry("Unread: News").hover()
    before = await top(inbox, "Unread: News")
    await system.item(bob, "More news")
    await expect(inbox.button("1 new")).to_be_visible()
    assert abs(await top(inbox, "Unread: News") - before) < 1


async def test_a_list_that_the_page_scrolls_holds_still_as_well(
    browsers: Browsers, system: System, people: People
) -> None:
    """On a phone there is one thing to scroll."""
    bob = people.someone("bob")
    inbox = await many(browsers, system, bob)
    await inbox.element.evaluate(
        "({ style }) => { style.setProperty('--tandem-max-height', 'none');"
        " style.setProperty('--tandem-overflow', 'visible'); }"
    )
    await inbox.entry("Item 15").scroll_into_view_if_needed()
    before = await top(inbox, "Item 15")
    assert await inbox.page.evaluate("scrollY") > 0
    await system.item(bob, "News")
    await expect(inbox.button("1 new")).to_be_in_viewport(ratio=1)
    assert abs(await top(inbox, "Item 15") - before) < 1


async def test_news_are_announced_once_and_a_burst_in_one_sentence(
    browsers: Browsers, system: System, people: People
) -> None:
    """What was there before the page is no news."""
    bob = people.someone("bob")
    await fill(system, bob, 2)
    inbox = await shown(browsers, system, bob)
    await expect(inbox.connection).to_have_text("Live")
    await expect(inbox.entries).to_have_count(2)
    assert await inbox.told() == []
    await system.item(bob, "News")
    await expect(inbox.element.get_by_role("status")).to_have_text("New: News")
    await fill(system, bob, 7, first=3)
    await expect(inbox.element.get_by_role("status")).to_contain_text("7 new items")
    assert await inbox.told() == ["New: News", "7 new items"]


async def test_a_connection_that_is_soon_found_again_is_not_made_a_fuss_of(browsers: Browsers) -> None:
    """It is shown as looked for after a second, said aloud after several, and then its return too."""
    page = await browsers.blank(await browsers.person())
    await page.clock.install(time="2026-03-10T11:00:00Z")
    await page.clock.pause_at("2026-03-10T12:00:00Z")
    await page.evaluate("""async () => {
      const [{ Connection }, { speaker }] = await Promise.all(
        ["connection", "strings"].map((each) => import(`/web/tandem-inbox/${each}.js`)));
      window.told = [];
      window.connection = new Connection(speaker("en", {}), (sentence) => told.push(sentence));
      document.body.append(connection.element);
      connection.show("live", 0);
      connection.show("reconnecting", 0);
    }""")
    indicator = page.locator(".connection")
    await page.clock.run_for(1000)
    await expect(indicator).to_have_text("Live")
    await page.clock.run_for(500)
    await expect(indicator).to_have_text("Reconnecting")
    await page.evaluate("connection.show('live', 0)")
    await expect(indicator).to_have_text("Live")
    await page.clock.run_for(60_000)
    assert await page.evaluate("told") == []
    await page.evaluate("connection.show('reconnecting', 0)")
    await page.clock.run_for(8000)
    await page.evaluate("connection.show('live', 0)")
    said = await page.evaluate("told")
    assert [sentence.split(".")[0] for sentence in said] == ["The connection is lost", "Connected again"]


async def test_times_are_kept_right_while_nothing_else_changes(browsers: Browsers) -> None:
    """What was now is a minute ago after a minute, and then further away, in the reader's language."""
    page = await browsers.blank(await browsers.person(timezone_id="Europe/Berlin"))
    await page.clock.install(time="2026-03-10T11:00:00Z")
    await page.clock.pause_at("2026-03-10T12:00:00Z")
    await page.evaluate("""async () => {
      const [{ List }, { speaker }, { teller }] = await Promise.all(
        ["list", "strings", "times"].map((each) => import(`/web/tandem-inbox/${each}.js`)));
      const list = new List(speaker("de", {}), teller("de"), {});
      const item = { id: "1", sender_id: null, title: "Da", body: "", created_at: "2026-03-10T12:00:00Z" };
      document.body.append(list.element);
      list.render([{ type: "item", key: "1", item }], "all");
      list.run();
    }""")
    time = page.locator("time")
    for hours, words in [(0, "jetzt"), (0.02, "vor 1 Min."), (3, "vor 3 Std."), (24, "gestern"), (168, "10. März")]:
        await page.clock.fast_forward(round(hours * HOUR))
        await page.clock.run_for(20_000)
        await expect(time).to_have_text(words)
    assert await time.get_attribute("title") == "Dienstag, 10. März 2026 um 13:00"
