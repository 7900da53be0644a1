"""`<tandem-inbox>` without a mouse: where the focus goes, and how what was deleted comes back."""

from playwright.async_api import expect

from tests.system.browser.component import Component, fill, shown
from tests.system.browser.conftest import Browsers
from tests.system.conftest import People
from tests.system.system import System


async def press(inbox: Component, *keys: str) -> str:
    """The name of what has the focus after these keys."""
    for key in keys:
        await inbox.page.keyboard.press(key)
    return await inbox.focused()


async def three(browsers: Browsers, system: System, bob: str, *, undo_for: int = 60_000) -> Component:
    """An inbox of three items, with nothing pressed yet; what is deleted can be undone for `undo_for` ms."""
    await fill(system, bob, 3)
    inbox = await shown(browsers, system, bob, options={"undoFor": undo_for})
    await expect(inbox.entries).to_have_count(3)
    return inbox


async def test_the_keyboard_reaches_everything_there_is_to_do(
    browsers: Browsers, system: System, people: People
) -> None:
    """The filter, marking all, and the list as one stop, in which the arrows lead from row to row."""
    inbox = await three(browsers, system, people.someone("bob"))
    tabbed = [await press(inbox, "Tab") for _ in range(7)]
    assert tabbed == [
        "All", "Unread", "Mark all as read",
        "Unread: Item 3", "Mark as read: Item 3", "Delete: Item 3", "",
    ]  # fmt: skip
    await press(inbox, "Shift+Tab", "Shift+Tab", "Shift+Tab")
    assert [await press(inbox, key) for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "Home", "End")] == [
        "Unread: Item 2", "Unread: Item 1", "Unread: Item 1", "Unread: Item 2", "Unread: Item 3", "Unread: Item 1",
    ]  # fmt: skip
    assert await press(inbox, "Enter") == "Item 1"  # opened, and read therefore
    assert await press(inbox, "ArrowUp", "Tab", "Enter") == "Item 2"  # read by its button, which has gone
    assert await press(inbox, "Tab", "ArrowUp") == "Delete: Item 3"  # from button to the same button
    await expect(inbox.badge).to_have_text("1")
    await press(inbox, *["Shift+Tab"] * 3, "Space")
    await expect(inbox.badge).to_be_hidden()
    await press(inbox, "Shift+Tab", "Enter")
    await expect(inbox.element.get_by_role("heading", name="You have read everything")).to_be_visible()


async def test_after_a_deletion_the_focus_is_on_the_neighbour(
    browsers: Browsers, system: System, people: People
) -> None:
    """On the same button of the next row, else of the one before, and at last on what says that nothing is left."""
    inbox = await three(browsers, system, people.someone("bob"))
    await inbox.button("Delete: Item 2").focus()
    assert await press(inbox, "Enter") == "Delete: Item 1"
    assert await press(inbox, "Enter") == "Delete: Item 3"
    assert await press(inbox, "Enter") == "Nothing here yet"
    await expect(inbox.badge).to_be_hidden()


async def test_a_deletion_is_undone_from_its_note(browsers: Browsers, system: System, people: People) -> None:
    """The note is three steps from the list; the row comes back to where it was, with the focus on it."""
    bob = people.someone("bob")
    inbox = await three(browsers, system, bob)
    await inbox.button("Unread: Item 2").focus()
    assert await press(inbox, "Delete") == "Unread: Item 1"
    await expect(inbox.entries).to_have_count(2)
    await expect(inbox.badge).to_have_text("2")
    assert await press(inbox, "Tab", "Tab", "Tab") == "Undo: Deleted: Item 2"
    assert await press(inbox, "Enter") == "Unread: Item 2"
    titles = await inbox.element.get_by_role("heading", level=3).all_inner_texts()
    assert [title.split()[-1] for title in titles] == ["3", "2", "1"]
    assert await inbox.told() == ["Deleted: Item 2. Control and Z undoes it.", "Back again: Item 2"]
    assert len((await system.get(f"{system.inbox}/items", bob))["items"]) == 3


async def test_control_z_undoes_one_deletion_after_the_other(
    browsers: Browsers, system: System, people: People
) -> None:
    """The latest first, from wherever in the element the focus is."""
    inbox = await three(browsers, system, people.someone("bob"))
    await inbox.button("Unread: Item 3").focus()
    await press(inbox, "Delete", "Delete", "Backspace")
    await expect(inbox.entries).to_have_count(0)
    for count, title in enumerate(["Item 1", "Item 2", "Item 3"], 1):
        assert await press(inbox, "Control+z") == f"Unread: {title}"
        await expect(inbox.entries).to_have_count(count)


async def test_a_note_stays_while_the_focus_is_on_it_and_leaves_none_behind(
    browsers: Browsers, system: System, people: People
) -> None:
    """Whoever needs longer to get to the button has it; a focus on a note that goes returns to the list."""
    bob = people.someone("bob")
    inbox = await three(browsers, system, bob, undo_for=400)
    await inbox.button("Unread: Item 2").focus()
    await press(inbox, "Delete", "Tab", "Tab", "Tab")
    undo = inbox.button("Undo")
    await expect(undo).to_be_focused()
    state = "({ state: { removed } } = inbox) => removed.length"
    later = f"new Promise((done) => setTimeout(() => done(({state})()), 900))"
    assert await inbox.page.evaluate(later) == 1  # more than twice the time that it had
    await press(inbox, "Shift+Tab")
    await expect(undo).to_have_count(0)
    await inbox.confirmed()
    assert len((await system.get(f"{system.inbox}/items", bob))["items"]) == 2
    assert await inbox.focused() == "Delete: Item 1"
