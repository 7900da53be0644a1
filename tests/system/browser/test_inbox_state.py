"""What inbox.js makes of an inbox, in a real browser against the real services."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import BrowserContext, Route

from devstack.waiting import until
from tests.system.browser.conftest import Browsers
from tests.system.browser.inboxes import InboxPage
from tests.system.conftest import People
from tests.system.device import PATIENCE
from tests.system.system import System

ACTIONS = 40
"""With some 30 ms each, a second or two."""

TURN = "UPDATE inbox_items SET is_read = NOT is_read WHERE id = '{}'"

MANY = """INSERT INTO inbox_items (recipient_id, kind, title)
    SELECT '{}', 'notice', 'no ' || n FROM generate_series(1, 120) n"""

OLD = """INSERT INTO inbox_items (recipient_id, kind, title, created_at)
    VALUES ('{}', 'notice', 'of old', '2020-02-02')"""


async def items(system: System, user: str, query: str = "") -> list[dict[str, Any]]:
    """What the server has."""
    listed: list[dict[str, Any]] = (await system.get(f"{system.inbox}/items?limit=200{query}", user))["items"]
    return listed


async def unread(system: System, user: str) -> int:
    count: int = (await system.get(f"{system.inbox}/unread-count", user))["unread_count"]
    return count


async def person_with(system: System, people: People, *titles: str) -> tuple[str, list[str]]:
    """Somebody new with items of these titles, from the oldest to the newest; returns the ids too."""
    user = people.someone("bob")
    return user, [(await system.item(user, title))["id"] for title in titles]


async def in_the_way(context: BrowserContext, pattern: str, *answers: dict[str, Any] | None) -> list[str]:
    """Have the first calls of an API answered so, or not at all if None; returns the list of calls made."""
    left, calls = list(answers), list[str]()

    async def handle(route: Route) -> None:
        if route.request.method == "OPTIONS":
            return await route.fallback()
        calls.append(route.request.url)
        if not left:
            return await route.fallback()
        answer = left.pop(0)
        return await (route.abort() if answer is None else route.fulfill(**answer))

    await context.route(pattern, handle)
    return calls


async def test_an_item_arrives_live_and_nobody_else_hears_of_it(
    system: System, people: People, browsers: Browsers
) -> None:
    """It is news, unread, and above what was there."""
    user, _ = await person_with(system, people, "old")
    inbox = await InboxPage.open(browsers, await browsers.person(), system, user)
    other = await InboxPage.open(browsers, await browsers.person(), system, people.someone("eve"))
    await inbox.shows("old")
    await system.item(user, "new")
    await inbox.shows("new", "old")
    await inbox.until("inbox.state.unread === 2 && news.length === 1 && news[0] === 'new'")
    assert await other.do("[shown(), inbox.state.unread, news]") == [[], 0, []]


async def test_an_action_shows_at_once_and_everywhere(system: System, people: People, browsers: Browsers) -> None:
    """In the same turn here, by the event there."""
    user, (first, second, _) = await person_with(system, people, "1", "2", "3")
    context = await browsers.person()
    one = await InboxPage.open(browsers, context, system, user, undoFor=0)
    two = await InboxPage.open(browsers, context, system, user)
    now = f"inbox.markRead('{first}'), inbox.remove('{second}'), [shown(), unreadOnScreen(), inbox.state.unread]"
    assert await one.do(now) == [["3", "1"], 1, 1]
    await two.shows("3", "1")
    await two.until("unreadOnScreen() === 1 && inbox.state.unread === 1")
    await one.do("inbox.markAllRead()")
    await two.until("unreadOnScreen() === 0 && inbox.state.unread === 0")
    await one.settled()
    assert [item["is_read"] for item in await items(system, user)] == [True, True]


async def test_what_the_server_refuses_is_taken_back_with_its_words(
    system: System, people: People, browsers: Browsers
) -> None:
    """A refusal of the service itself: on the way the ids are made such that it cannot read them."""
    user, (first, second) = await person_with(system, people, "1", "2")
    context = await browsers.person()

    async def garble(route: Route) -> None:
        await route.continue_(url=route.request.url.replace(first, "no-id").replace(second, "none-either"))

    await context.route(lambda url: first in url or second in url, garble)
    inbox = await InboxPage.open(browsers, context, system, user, undoFor=0)
    done = f"inbox.markRead('{first}'), inbox.remove('{second}'), [shown(), inbox.state.unread]"
    assert await inbox.do(done) == [["1"], 0]
    await inbox.until("problems.length === 2")
    assert await inbox.do("[shown(), unreadOnScreen(), inbox.state.unread, inbox.state.waiting]") == [
        ["2", "1"],
        2,
        2,
        0,
    ]
    problems = await inbox.do("problems")
    assert [(problem["action"], problem["id"]) for problem in problems] == [("markRead", first), ("remove", second)]
    assert all("valid UUID" in problem["message"] for problem in problems)


async def test_what_is_gone_already_is_gone(system: System, people: People, browsers: Browsers) -> None:
    """A 404 is no refusal: somebody was faster, and the news of it is on its way or was missed."""
    user, (first, second) = await person_with(system, people, "1", "2")
    inbox = await InboxPage.open(browsers, await browsers.person(), system, user, undoFor=0)
    await inbox.do("realtime.close()")  # so that only the answers tell
    for item in (first, second):
        (await system.ask("DELETE", f"{system.inbox}/items/{item}", user)).raise_for_status()
    await inbox.do(f"inbox.remove('{first}'), inbox.markRead('{second}')")
    await inbox.settled()
    await inbox.shows()
    assert await inbox.do("[problems, inbox.state.unread]") == [[], 0]


async def test_what_is_done_offline_is_sent_on_return(system: System, people: People, browsers: Browsers) -> None:
    """It shows at once, waits, and is neither lost nor taken back."""
    user, (first, second, _) = await person_with(system, people, "1", "2", "3")
    context = await browsers.person()
    inbox = await InboxPage.open(browsers, context, system, user, undoFor=0)
    await context.set_offline(True)
    await inbox.until("inbox.state.status !== 'live'")
    await inbox.do(f"inbox.markRead('{first}'), inbox.remove('{second}')")
    await inbox.until("inbox.state.waiting === 2 && shown().length === 2 && inbox.state.unread === 1")
    assert await unread(system, user) == 3
    await context.set_offline(False)
    await inbox.settled()
    assert [(item["title"], item["is_read"]) for item in await items(system, user)] == [("3", False), ("1", True)]
    await inbox.shows("3", "1")
    await inbox.until("inbox.state.unread === 1")  # the count comes in a frame of its own
    assert await inbox.do("problems") == []


async def test_a_service_that_asks_for_patience_gets_it(system: System, people: People, browsers: Browsers) -> None:
    """429 and 503 say when to come back; a lost connection says nothing. All go out in their order in the end."""
    user, (first, second) = await person_with(system, people, "1", "2")
    context = await browsers.person()
    busy = [{"status": status, "headers": {"Retry-After": "1"}} for status in (429, 503)]
    calls = await in_the_way(context, "**/read", *busy, None)
    inbox = await InboxPage.open(browsers, context, system, user)
    await inbox.do(f"inbox.markRead('{first}'), inbox.markRead('{second}')")
    await inbox.settled()
    assert [first in call for call in calls] == [True, True, True, True, False]
    assert await unread(system, user) == 0
    assert await inbox.do("problems") == []


async def test_lists_that_cannot_be_had_are_asked_for_again(system: System, people: People, browsers: Browsers) -> None:
    """Until they are there; the page says meanwhile that it is loading."""
    user, _ = await person_with(system, people, "1")
    context = await browsers.person()
    calls = await in_the_way(context, "**/items?*", None, {"status": 503, "headers": {"Retry-After": "1"}})
    inbox = await InboxPage.open(browsers, context, system, user)
    await inbox.shows("1")
    assert len(calls) == 3


async def test_a_removal_can_be_undone_for_a_while(system: System, people: People, browsers: Browsers) -> None:
    """Then it is as if nothing had been; without that the server learns of it."""
    user, (first, second) = await person_with(system, people, "1", "2")
    inbox = await InboxPage.open(browsers, await browsers.person(), system, user, undoFor=60_000)
    await inbox.do(f"inbox.remove('{first}'), inbox.remove('{second}')")
    assert await inbox.do("[shown(), inbox.state.unread, inbox.state.waiting]") == [[], 0, 0]
    assert [each["title"] for each in await inbox.do("inbox.state.removed")] == ["1", "2"]
    await inbox.do(f"inbox.undo('{first}')")
    await inbox.shows("1")
    assert await inbox.do("inbox.state.unread") == 1
    await inbox.do("inbox.close()")
    await inbox.settled()
    assert [item["title"] for item in await items(system, user)] == ["1"]


async def test_a_removal_is_sent_when_the_page_is_left(system: System, people: People, browsers: Browsers) -> None:
    """Though its time has not run out."""
    user, (first, _) = await person_with(system, people, "1", "2")
    inbox = await InboxPage.open(browsers, await browsers.person(), system, user, undoFor=60_000)
    await inbox.do(f"inbox.remove('{first}')")
    await inbox.page.goto("about:blank")

    async def gone() -> bool:
        return [item["title"] for item in await items(system, user)] == ["2"]

    assert await until(gone, within=PATIENCE)


async def test_the_badge_says_what_the_server_counts(system: System, people: People, browsers: Browsers) -> None:
    """After each of many actions, from here and from elsewhere."""
    user, ids = await person_with(system, people, *"12345678")
    inbox = await InboxPage.open(browsers, await browsers.person(), system, user, undoFor=0, pageSize=4)
    chance = random.Random(4)

    async def elsewhere(method: str, path: str) -> None:
        await system.ask(method, f"{system.inbox}/items/{path}", user)

    async def create() -> None:
        ids.append((await system.item(user, f"new {len(ids)}"))["id"])

    actions: list[Callable[[str], Awaitable[Any]]] = [
        lambda _: create(),
        lambda _: create(),
        lambda item: inbox.do(f"inbox.markRead('{item}')"),
        lambda item: inbox.do(f"inbox.remove('{item}')"),
        lambda _: inbox.do("inbox.markAllRead()"),
        lambda _: inbox.do("inbox.more()"),
        lambda item: elsewhere("POST", f"{item}/read"),
        lambda item: elsewhere("DELETE", item),
        lambda item: system.sql("inbox", TURN.format(item)),
    ]
    for _ in range(ACTIONS):
        await chance.choice(actions)(chance.choice(ids))
        await inbox.settled()
        await inbox.until(f"inbox.state.unread === {await unread(system, user)}")
    await inbox.until("!inbox.state.hasMore || (inbox.more(), false)")
    there = [(item["title"], item["is_read"]) for item in await items(system, user)]
    here = "inbox.state.entries.map(({ item }) => [item.title, item.is_read])"
    assert [tuple(item) for item in await inbox.do(here)] == there
    assert await inbox.do("problems") == []


async def test_pages_do_not_shift_while_items_come_and_go(system: System, people: People, browsers: Browsers) -> None:
    """Of 120 items each is there once, in order, whatever happens above and below between two pages."""
    user = people.someone("bob")
    await system.sql("inbox", MANY.format(user))
    inbox = await InboxPage.open(browsers, await browsers.person(), system, user, pageSize=25)
    there = await items(system, user)
    for gone in (there[3], there[24], there[25], there[70], there[119]):
        await system.ask("DELETE", f"{system.inbox}/items/{gone['id']}", user)
        await system.item(user, f"instead of {gone['title']}")
        await inbox.do("inbox.more(), inbox.more()")  # a second one while the first is under way does nothing
        await inbox.until("!inbox.state.loadingMore")
    await inbox.until("!inbox.state.hasMore")
    await inbox.until("inbox.state.unread === 120")
    ids = await inbox.do("inbox.state.entries.map(({ item }) => item.id)")
    assert ids == [item["id"] for item in await items(system, user)]
    await inbox.do("inbox.refresh()")  # what was there is fetched again, not only a page
    assert await inbox.do("inbox.state.entries.length") == 120


async def test_suggestions_stand_among_the_items_until_they_are_answered(
    system: System, people: People, browsers: Browsers
) -> None:
    """The partner's answer leaves the question there and adds an item; one's own takes it away, live."""
    alice, bob = await people.partners()
    day = await system.get(f"{system.connection}/daily-connections/today", bob)
    await system.sql("inbox", OLD.format(bob))
    inbox = await InboxPage.open(browsers, await browsers.person(), system, bob)
    await inbox.shows(day["question"], "of old")
    answer = await system.answer(alice)
    await inbox.until("shown().length === 3")
    kinds = "inbox.state.entries.map(({ type, item }) => item?.kind ?? type)"
    assert await inbox.do(kinds) == ["connection_answer", "suggestion", "notice"]
    await inbox.until(f"inbox.state.entries[1].suggestion.answers[0]?.id === '{answer['id']}'")
    await inbox.do("inbox.setFilter('unread')")
    assert await inbox.do(kinds) == ["connection_answer", "notice"]
    await inbox.do("inbox.setFilter('all')")
    await system.answer(bob)
    await inbox.until("!inbox.state.entries.some(({ type }) => type === 'suggestion')")


async def test_a_partnership_that_begins_or_ends_changes_the_suggestions(
    system: System, people: People, browsers: Browsers
) -> None:
    """The page learns of both live; who is not in it has nothing to answer."""
    alice, bob = people.someone("alice"), people.someone("bob")
    inbox = await InboxPage.open(browsers, await browsers.person(), system, bob)
    invite = await system.post(f"{system.connection}/partnership/invites", alice)
    await inbox.shows()
    await system.post(f"{system.connection}/partnership/accept", bob, {"code": invite["code"]})
    await inbox.until("shown().length === 1")
    await system.ask("DELETE", f"{system.connection}/partnership", alice)
    await inbox.shows()


async def test_the_filter_shows_what_is_unread_wherever_it_is(
    system: System, people: People, browsers: Browsers
) -> None:
    """Its pages are its own: it finds unread items far below what is loaded, and what is read leaves it."""
    user, ids = await person_with(system, people, *"123456789")
    for read in ids[1:8]:
        await system.post(f"{system.inbox}/items/{read}/read", user)
    inbox = await InboxPage.open(browsers, await browsers.person(), system, user, pageSize=3)
    await inbox.shows("9", "8", "7")
    await inbox.do("inbox.setFilter('unread')")
    await inbox.shows("9", "1")
    await inbox.do(f"inbox.markRead('{ids[8]}')")
    await inbox.shows("1")
    await system.item(user, "10")
    await inbox.shows("10", "1")
    await inbox.do("inbox.setFilter('all')")
    await inbox.shows("10", "9", "8", "7")
    assert await inbox.do("[inbox.state.hasMore, inbox.state.unread]") == [True, 2]


async def test_what_did_not_change_is_the_same_object(system: System, people: People, browsers: Browsers) -> None:
    """So that whoever draws it draws only what is new, and is told once a turn."""
    user, (first, _) = await person_with(system, people, "1", "2")
    inbox = await InboxPage.open(browsers, await browsers.person(), system, user)
    await inbox.do("window.told = 0, inbox.subscribe(() => told++), window.before = inbox.state")
    await inbox.do("inbox.refresh()")
    await inbox.until(
        "performance.getEntriesByType('resource').filter(({ name }) => name.includes('suggestions')).length > 1"
    )
    await inbox.do(f"inbox.markRead('{first}'), inbox.markRead('{first}')")
    await inbox.settled()
    await inbox.until("inbox.state.unread === 1")
    assert await inbox.do(
        "before.entries[0] === inbox.state.entries[0] && before.entries[1] !== inbox.state.entries[1]"
    )
    assert await inbox.do("Object.isFrozen(inbox.state) && Object.isFrozen(inbox.state.entries)")
    assert await inbox.do("before.entries[1].item.is_read") is False
    assert await inbox.do("told") <= 6
