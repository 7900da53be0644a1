"""Several tabs of one person: one socket for all of them, and every event in each of them."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.system.browser.conftest import Browsers
from tests.system.browser.listening import Somebody, Stage, Tab, storing
from tests.system.conftest import People
from tests.system.system import System

HAND_OVER = 2.0
"""Seconds within which another tab must be connected when the leading one is closed."""

KEPT = 1000
"""Events that the leading tab keeps for the others."""

DEAFEN = """() => {
  const Channel = window.BroadcastChannel;
  window.deaf = false;
  window.lost = 0;
  window.BroadcastChannel = class extends Channel {
    addEventListener(name, listener) {
      super.addEventListener(name, (message) => {
        if (!deaf) listener(message);
        else if (message.data.kind === "frame") lost += 1;
      });
    }
  };
}"""
"""A page whose messages from other tabs get lost while it is deaf; it counts the frames among them."""


@pytest.fixture(scope="module")
async def stage(server_dir: Path, system: System) -> AsyncIterator[Stage]:
    """A gateway for the pages of this module."""
    async with Stage.at(server_dir / "tabs", system.inbox.removesuffix("/v1/inbox")) as ready:
        yield ready


@pytest.fixture
async def patient(stage: Stage) -> AsyncIterator[Stage]:
    """The same, with heartbeats so rare that no tab takes a silence for the end of the one that leads."""
    await stage.stop()
    await stage.start(heartbeat=60)
    yield stage
    await stage.stop()
    await stage.start()


async def leader_of(tabs: list[Tab]) -> Tab:
    """The only one of them that holds a socket."""
    leading = [tab for tab in tabs if await tab.leads()]
    assert len(leading) == 1
    return leading[0]


async def test_five_tabs_hold_one_socket_and_hand_it_over(browsers: Browsers, stage: Stage, people: People) -> None:
    """The leading tab is closed while events keep arriving: no other tab misses one or gets one twice."""
    alice, bob = people.someone("alice"), people.someone("bob")
    somebody = await Somebody.arrive(browsers)
    tabs = [await somebody.tab(alice, stage.url) for _ in range(5)]
    assert await stage.holds(1)
    assert len(somebody.sockets) == 1
    his = await (await Somebody.arrive(browsers)).tab(bob, stage.url)

    async with storing(stage, alice) as stored:
        for tab in tabs:
            await tab.heard(at_least=10)
        leader = await leader_of(tabs)
        tabs.remove(leader)
        began = time.monotonic()
        async with asyncio.timeout(HAND_OVER):
            await leader.page.close()
            for tab in tabs:
                await tab.until("said.hello.length > 1 && rt.status === 'live'")
        print(f"handed over in {1000 * (time.monotonic() - began):.0f} ms")
        for tab in tabs:
            await tab.heard(at_least=len(stored) + 10)

    for_bob = await stage.store(bob)
    for tab in tabs:
        assert await tab.heard(at_least=len(stored)) == stored
        assert await tab.resyncs() == ["connected"]
    assert await his.heard(at_least=1) == for_bob
    assert (len(somebody.sockets), await stage.holds(2)) == (2, True)
    assert somebody.asked == [(alice, False)] * 5


async def test_a_tab_that_is_done_lets_another_one_lead(browsers: Browsers, stage: Stage, people: People) -> None:
    """`close()` does what closing the tab does, and a tab without others ends the last socket."""
    alice = people.someone("alice")
    somebody = await Somebody.arrive(browsers)
    first, second = [await somebody.tab(alice, stage.url) for _ in range(2)]

    await first.page.evaluate("rt.close()")
    await second.until("wires.length === 1 && rt.status === 'live'")

    stored = await stage.store(alice, 2)
    assert await second.heard(at_least=2) == stored
    assert await first.heard() == []
    assert (await first.said("status"))[-1]["status"] == "closed"
    assert await stage.holds(1)
    await second.page.evaluate("rt.close()")
    assert await stage.holds(0)


async def test_a_leading_tab_that_does_nothing_any_more_is_replaced(
    browsers: Browsers, stage: Stage, people: People
) -> None:
    """Its lock is stolen; when it wakes it follows, has what it missed, and there is one socket again."""
    alice, bob = people.someone("alice"), people.someone("bob")
    somebody = await Somebody.arrive(browsers)
    his = await somebody.tab(bob, stage.url)
    tabs, stored = [await somebody.tab(alice, stage.url) for _ in range(3)], await stage.store(alice, 3)
    for tab in tabs:
        await tab.heard(at_least=3)
    leader = await leader_of(tabs)
    others = [tab for tab in tabs if tab is not leader]

    await leader.freeze()
    stored += await stage.store(alice, 3)
    for tab in others:
        assert await tab.heard(at_least=6) == stored
    await leader.thaw()
    stored += await stage.store(alice, 3)

    for tab in tabs:
        assert await tab.heard(at_least=9) == stored
        assert await tab.resyncs() == ["connected"]
    assert await stage.holds(2), "hers and his"
    assert not await leader.leads()
    for_bob = await stage.store(bob)
    assert await his.heard(at_least=1) == for_bob


async def test_a_tab_that_missed_messages_of_the_leader_gets_them_or_is_told(
    browsers: Browsers, patient: Stage, people: People
) -> None:
    """Up to as many as are kept it gets them all, in order; after more it must fetch its state, and goes on."""
    alice, bob = people.someone("alice"), people.someone("bob")
    somebody = await Somebody.arrive(browsers)
    leader = await somebody.tab(alice, patient.url)
    follower, other = await somebody.blank(alice), await somebody.tab(bob, patient.url)
    await follower.page.evaluate(DEAFEN)
    await follower.listen(patient.url)
    await follower.live()
    stored = await patient.store(alice, 3)
    await follower.heard(at_least=3)

    await follower.page.evaluate("deaf = true")
    stored += await patient.store(alice, KEPT - 1)
    await leader.heard(at_least=len(stored))
    await follower.until("(missed) => lost >= missed", KEPT - 1)
    await follower.page.evaluate("deaf = false")
    stored += await patient.store(alice)
    assert await follower.heard(at_least=len(stored)) == stored
    assert await follower.resyncs() == ["connected"]

    await follower.page.evaluate("deaf = true")
    missed = await patient.store(alice, KEPT + 1)
    await leader.heard(at_least=len(stored + missed))
    await follower.until("(missed) => lost >= missed", KEPT - 1 + len(missed))
    await follower.page.evaluate("deaf = false")
    await patient.store(alice)  # by which it notices; its state will have that, too
    await follower.until("said.resync.length === 2")
    stored_later = await patient.store(alice, 2)

    heard = await follower.heard(at_least=len(stored) + 2)
    assert heard[: len(stored)] == stored
    assert heard[-2:] == stored_later
    assert not set(heard) & set(missed)
    assert await other.heard() == []
    assert len(somebody.sockets) == 2, "hers and his"


async def test_two_people_in_two_tabs_of_one_browser_never_mix(
    browsers: Browsers, stage: Stage, people: People
) -> None:
    """Each has a socket, and neither hears of the other, also not when one of them leaves."""
    alice, bob = people.someone("alice"), people.someone("bob")
    somebody = await Somebody.arrive(browsers)
    hers, his = await somebody.tab(alice, stage.url), await somebody.tab(bob, stage.url)
    assert await stage.holds(2)

    for_alice, for_bob = await stage.store(alice, 4), await stage.store(bob, 2)
    assert await hers.heard(at_least=4) == for_alice
    assert await his.heard(at_least=2) == for_bob

    await hers.page.evaluate("rt.signOut()")
    await stage.store(alice)
    for_bob += await stage.store(bob)
    assert await his.heard(at_least=3) == for_bob
    assert await his.page.evaluate("[rt.user, rt.status]") == [bob, "live"]
    assert await hers.heard() == for_alice


async def test_who_signs_out_leaves_nothing_behind_in_any_tab(browsers: Browsers, stage: Stage, people: People) -> None:
    """The socket is closed and nobody opens another; who comes next, also the same person, begins anew."""
    alice, bob = people.someone("alice"), people.someone("bob")
    somebody = await Somebody.arrive(browsers)
    tabs = [await somebody.tab(alice, stage.url) for _ in range(3)]
    await tabs[0].heard(at_least=len(await stage.store(alice, 2)))

    await tabs[1].page.evaluate("rt.signOut()")
    for tab in tabs:
        await tab.until("rt.status === 'closed'")
        assert await tab.page.evaluate("Object.keys(sessionStorage)") == []
    assert await stage.holds(0)
    await stage.store(alice, 2)

    tabs[0].user = bob
    await tabs[0].listen(stage.url)
    await tabs[0].live()
    stored = await stage.store(bob)
    assert await tabs[0].heard(at_least=1) == stored
    await tabs[1].listen(stage.url)
    await tabs[1].live()
    assert (await tabs[1].said("hello"))[0]["resumed"] is False
    stored = await stage.store(alice, 2)
    assert await tabs[1].heard(at_least=2) == stored
    assert await tabs[2].page.evaluate("rt.status") == "closed"
    assert len(somebody.sockets) == 3, "one before, one of each afterwards"


async def test_a_page_stops_when_somebody_else_has_signed_in(browsers: Browsers, stage: Stage, people: People) -> None:
    """A fresh token that is another person's is not used: alice's page must not show bob's inbox."""
    alice, bob = people.someone("alice"), people.someone("bob")
    somebody = await Somebody.arrive(browsers)
    somebody.ttl = 0  # over already
    tab = await somebody.blank(alice)
    await tab.page.evaluate(
        "([bob]) => { const of = tokenOf; window.tokenOf = (user, fresh) => of(fresh ? bob : user, fresh); }", [bob]
    )
    await tab.listen(stage.url)
    await tab.until("rt.status === 'stopped'")

    assert (await tab.said("status"))[-1]["reason"] == "somebody else has signed in"
    assert somebody.sockets == []


async def test_where_tabs_cannot_share_each_has_a_socket(browsers: Browsers, stage: Stage, people: People) -> None:
    """In browsers without locks, and for those who wish it so; signing out ends them all nevertheless."""
    alice = people.someone("alice")
    somebody = await Somebody.arrive(browsers)
    tabs = [await somebody.tab(alice, stage.url, share=False), await somebody.blank(alice)]
    await tabs[1].page.evaluate("Object.defineProperty(navigator, 'locks', { value: undefined })")
    await tabs[1].listen(stage.url)
    await tabs[1].live()
    assert await stage.holds(2)

    stored = await stage.store(alice, 3)
    for tab in tabs:
        assert await tab.heard(at_least=3) == stored

    await tabs[0].page.evaluate("rt.signOut()")
    assert await stage.holds(0)
    assert [await tab.page.evaluate("rt.status") for tab in tabs] == ["closed"] * 2
