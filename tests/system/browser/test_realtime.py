"""realtime.js alone in a page, and a gateway: every event once and in order, whatever befalls the socket."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.system.browser.conftest import Browsers
from tests.system.browser.listening import Somebody, Stage
from tests.system.conftest import People
from tests.system.system import System

DRAWS = [0.01] * 9
"""Hardly any pauses."""

BELIEVE_TO_BE_OFFLINE = """() => {
  Object.defineProperty(navigator, "onLine", { value: false, configurable: true });
  dispatchEvent(new Event("offline"));
}"""


@pytest.fixture(scope="module")
async def stage(server_dir: Path, system: System) -> AsyncIterator[Stage]:
    """A gateway for the pages of this module."""
    async with Stage.at(server_dir / "realtime", system.inbox.removesuffix("/v1/inbox")) as ready:
        yield ready


async def test_a_page_gets_its_persons_events_and_nobody_elses(
    browsers: Browsers, stage: Stage, people: People
) -> None:
    """Once each, in order, and a page that is new is told to fetch its state."""
    alice, bob = people.someone("alice"), people.someone("bob")
    hers = await (await Somebody.arrive(browsers)).tab(alice, stage.url)
    his = await (await Somebody.arrive(browsers)).tab(bob, stage.url)

    for_alice, for_bob = await stage.store(alice, 5), await stage.store(bob)

    assert await hers.heard(at_least=5) == for_alice
    assert await his.heard(at_least=1) == for_bob
    assert await hers.resyncs() == await his.resyncs() == ["connected"]
    assert await hers.page.evaluate("rt.user") == alice
    assert [change["status"] for change in await hers.said("status")] == ["live"]


async def test_a_connection_that_is_cut_goes_on_where_it_was(browsers: Browsers, stage: Stage, people: People) -> None:
    """Closed by the page, torn by the network, restarted by a deploy: nothing is missed, and nothing comes twice."""
    alice, bob = people.someone("alice"), people.someone("bob")
    somebody = await Somebody.arrive(browsers)
    hers, stored = await somebody.tab(alice, stage.url_by_line, draws=DRAWS), await stage.store(alice, 3)
    his = await (await Somebody.arrive(browsers)).tab(bob, stage.url, draws=DRAWS)
    await hers.heard(at_least=len(stored))

    await hers.page.evaluate("wires.at(-1).close()")
    stored += await stage.store(alice, 3)
    await hers.heard(at_least=len(stored))

    stage.line.cut()
    stored += await stage.store(alice, 3)
    await hers.until("rt.status === 'reconnecting'")
    stage.line.mend()
    await hers.heard(at_least=len(stored))

    stored += await stage.store(alice, 3)
    await stage.stop()
    stored += await stage.store(alice, 3)
    await stage.start()
    for_bob = await stage.store(bob)

    assert await hers.heard(at_least=len(stored)) == stored
    assert await his.heard(at_least=1) == for_bob
    assert await hers.resyncs() == ["connected"]
    assert all(hello["resumed"] for hello in (await hers.said("hello"))[1:])
    assert somebody.asked == [(alice, False)], "a token that is good is used again"


async def test_a_page_that_is_reloaded_is_told_what_happened_meanwhile(
    browsers: Browsers, stage: Stage, people: People
) -> None:
    """The place survives in sessionStorage, for its own person only; state is to be fetched in any case."""
    alice, bob = people.someone("alice"), people.someone("bob")
    tab = await (await Somebody.arrive(browsers)).tab(alice, stage.url)
    await tab.heard(at_least=len(await stage.store(alice, 3)))

    await tab.page.reload()
    missed = await stage.store(alice, 3)
    await tab.listen(stage.url)

    assert await tab.heard(at_least=3) == missed
    assert (await tab.said("hello"))[0]["resumed"] is True
    assert await tab.resyncs() == ["connected"]

    await tab.page.reload()
    tab.user = bob
    await stage.store(alice)
    await tab.listen(stage.url)
    await tab.live()
    stored = await stage.store(bob)
    assert await tab.heard(at_least=1) == stored
    assert (await tab.said("hello"))[0] == {**(await tab.said("hello"))[0], "user_id": bob, "resumed": False}

    await tab.page.reload()
    await tab.listen(stage.url, storage=None)
    await tab.live()
    assert (await tab.said("hello"))[0]["resumed"] is False, "it was told to remember nothing"


async def test_a_token_is_renewed_on_the_open_socket(browsers: Browsers, stage: Stage, people: People) -> None:
    """The first one is over for more than a second, and the gateway still sends on the first socket."""
    alice = people.someone("alice")
    somebody = await Somebody.arrive(browsers)
    somebody.ttl = 5
    tab = await somebody.tab(alice, stage.url)
    somebody.ttl = 3600
    ends = await tab.page.evaluate("Date.now() + 5000")

    await tab.until("(ends) => said.frame.length > 4 && Date.now() > ends + 1500", ends)

    stored = await stage.store(alice)
    assert await tab.heard(at_least=1) == stored
    assert somebody.asked == [(alice, False), (alice, True)]
    assert len(somebody.sockets) == 1


async def test_a_laptop_that_slept_longer_than_its_token_comes_back_by_itself(
    browsers: Browsers, stage: Stage, people: People
) -> None:
    """One attempt and one fresh token are enough; nothing is missed, nothing comes twice, nothing is reloaded."""
    alice, bob = people.someone("alice"), people.someone("bob")
    somebody = await Somebody.arrive(browsers)
    his = await (await Somebody.arrive(browsers)).tab(bob, stage.url)
    somebody.ttl = 2
    tab, stored = await somebody.tab(alice, stage.url), await stage.store(alice, 3)
    await tab.heard(at_least=3)

    await tab.freeze()
    stored += await stage.store(alice, 3)
    assert await stage.holds(1), "the token was over; his was not"
    stored += await stage.store(alice, 3)
    somebody.ttl = 3600
    await tab.thaw()

    assert await tab.heard(at_least=9) == stored
    stored += await stage.store(alice)
    assert await tab.heard(at_least=10) == stored
    assert await tab.resyncs() == ["connected"]
    print(f"after the sleep: {len(somebody.sockets) - 1} connection attempts, {somebody.fresh} fresh tokens")
    assert (len(somebody.sockets), somebody.fresh) == (2, 1)
    assert await stage.holds(2)
    for_bob = await stage.store(bob)
    assert await his.heard(at_least=1) == for_bob


async def test_without_a_network_it_waits_until_there_is_one(browsers: Browsers, stage: Stage, people: People) -> None:
    """It says so, gives the socket up, hardly tries, and is back as soon as the browser says that the network is."""
    alice = people.someone("alice")
    somebody = await Somebody.arrive(browsers)
    tab, stored = await somebody.tab(alice, stage.url, draws=[1] * 9), await stage.store(alice, 2)
    await tab.heard(at_least=2)

    await tab.page.evaluate(BELIEVE_TO_BE_OFFLINE)
    assert await stage.holds(0), "what the browser says is believed"
    await tab.page.evaluate("delete navigator.onLine; dispatchEvent(new Event('online'))")
    await tab.live()

    await somebody.network(there=False)
    await tab.until("rt.status === 'offline'")
    assert await stage.holds(0)
    stored += await stage.store(alice, 2)
    pauses = [change["pause"] for change in await tab.said("status") if change["status"] == "offline"]
    await somebody.network(there=True)

    assert await tab.heard(at_least=4) == stored
    assert [round(pause / 1000) for pause in pauses] == [30, 30]
    assert (await tab.resyncs(), len(somebody.sockets)) == (["connected"], 3)
