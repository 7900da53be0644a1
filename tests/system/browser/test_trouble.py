"""What the page's own buttons break, and what is missed by that: nothing. In a system of its own, since that breaks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Route, expect

from devstack.processes import running
from devstack.waiting import until
from tests.system.browser.conftest import Browsers
from tests.system.browser.window import Window, same
from tests.system.conftest import People, Runner, new_settings
from tests.system.system import System

pytestmark = pytest.mark.long

HEARTBEAT = 2
"""Seconds between heartbeats of this gateway: a sleep that is to be noticed must be longer."""

SHORT = {"sleep": 3, "restart": 1}
"""Seconds. On the usual page it is a minute of sleep, and five seconds without a gateway."""

OUTAGE = 30
"""Seconds."""

NETWORK_LOST = 1006

STILL: dict[str, Any] = {"reduced_motion": "reduce"}
"""What breathes while the gateway is away would be painted sixty times a second, by no hardware made for it."""

LUCK = "Math.random = () => 0.2"
"""The pause before the next attempt is drawn from a range that grows to 30 s: here always from its lower end."""


@pytest.fixture(scope="module")
async def system(server_dir: Path) -> AsyncIterator[System]:
    """The system of the tests in this file."""
    settings = new_settings(server_dir / "trouble")
    runner = Runner(settings)
    runner.env["PUSH_HEARTBEAT"] = str(HEARTBEAT)
    async with running(runner), System.at(settings) as running_system:
        yield running_system


async def refusals(system: System, code: int) -> float:
    """How many sockets the gateway has closed with this code."""
    metrics = await system.http.get(f"http://127.0.0.1:{system.settings.ports['PUSH_PORT']}/metrics")
    lines = (line.rpartition(" ") for line in metrics.text.splitlines())
    return next((float(value) for name, _, value in lines if name == f'tandem_push_refusals_total{{code="{code}"}}'), 0)


async def two_windows(browsers: Browsers, people: People) -> tuple[Window, Window]:
    """Of bob, in one browser; the first holds the socket. He has a question that waits for him."""
    alice, bob = await people.partners()
    context = await browsers.person(**STILL)
    await context.add_init_script(LUCK)
    leading = await Window.open(context, bob, alice, **SHORT)
    return leading, await Window.open(context, bob, alice, **SHORT)


SEEN: dict[str, set[int | None]] = {"sleep": {None, NETWORK_LOST}, "slow": {4408, NETWORK_LOST}}
"""What the page sees where that is not certain: a timer may try to connect in its sleep, and a tab that is frozen for
longer than the gateway waits for its goodbye finds the socket cut. What the gateway said is counted there."""


@pytest.mark.parametrize(
    ("trouble", "leads", "code"),
    [
        ("cut", False, NETWORK_LOST),
        ("sleep", False, None),
        ("expire", False, 4401),
        ("restart", True, 1001),
        ("slow", True, 4408),
    ],
)
async def test_nothing_is_missed_and_nothing_comes_twice(
    browsers: Browsers, system: System, people: People, trouble: str, leads: bool, code: int | None
) -> None:
    """Whichever window the button is in; the gateway hangs up as it should, and is not besieged."""
    leading, following = await two_windows(browsers, people)
    for title in ("One", "Two", "Three"):
        await system.item(leading.user, title)
    assert await until(lambda: same(system, leading, following), within=10)
    closed_before = await refusals(system, code or 0)
    report = await (leading if leads else following).make(trouble)
    print(f"{trouble}: {report}")  # the time until whole, of which nothing is asserted
    assert (report["missed"], report["repeated"]) == (0, 0)
    assert report.get("code") in SEEN.get(trouble, {code})
    assert 1 <= report["attempts"] <= 10
    assert await until(lambda: same(system, leading, following), within=10)
    assert (await leading.look())["titles"] == ["Three", "Two", "One"]
    if code in {4401, 4408}:
        assert await refusals(system, code) == closed_before + 1


async def test_the_gateway_is_away_for_30_s_while_50_items_change(
    browsers: Browsers, system: System, people: People
) -> None:
    """The windows go on working meanwhile, and show everything when it is back."""
    alice, bob = await people.partners()
    context = await browsers.person(**STILL)
    await context.add_init_script(LUCK)
    window = await Window.open(context, bob, alice, restart=OUTAGE)
    items = [await system.item(bob, f"Before {number}") for number in range(20)]
    assert await until(lambda: same(system, window), within=10)
    trouble = asyncio.create_task(window.make("restart", within=3 * OUTAGE))
    await expect(window.inbox.locator(".connection")).not_to_contain_text("Live")
    for number in range(30):
        await system.item(bob, f"Meanwhile {number}")
    for item in items[:10]:
        await system.post(f"{system.inbox}/items/{item['id']}/read", bob)
    for item in items[10:]:
        (await system.ask("DELETE", f"{system.inbox}/items/{item['id']}", bob)).raise_for_status()
    report = await trouble
    print(f"away for {OUTAGE} s: {report}")
    assert (report["missed"], report["repeated"]) == (0, 0)
    assert report["attempts"] <= 15
    assert await until(lambda: same(system, window), within=10)
    assert len((await window.look())["titles"]) == 40


LIBRARY = """
import { createRealtime as real } from "/web/realtime.js?whole";
export * from "/web/realtime.js?whole";
export function createRealtime(options) {
  const realtime = real(options);
  const on = realtime.on.bind(realtime);
  let greetings = 0;
  on("hello", () => greetings++);
  realtime.on = (name, listener) => on(name, (...details) => {
    for (let times = greetings > 1 && /^inbox|resync/.test(name) ? TIMES : 1; times > 0; times--) {
      listener(...details);
    }
  });
  return realtime;
}
"""
"""A library that says each thing so many times after its first socket."""


async def broken(context: BrowserContext, times: int) -> None:
    """Have the pages in a browser load that library."""

    async def serve(route: Route) -> None:
        await route.fulfill(body=LIBRARY.replace("TIMES", str(times)), content_type="text/javascript")

    await context.route("**/web/realtime.js", serve)


async def test_the_report_of_a_broken_library_says_what_is_wrong(browsers: Browsers, people: People) -> None:
    """One that forgets what was missed, and one that says it twice: a report that cannot be bad is worth nothing."""
    alice, bob = await people.partners()
    reports = []
    for times, patience in ((0, 1), (2, 20)):
        context = await browsers.person(**STILL)
        await broken(context, times)
        window = await Window.open(context, bob, alice, patience=patience)
        reports.append(await window.make("cut"))
        await expect(window.trouble.locator(".report")).to_have_class("report bad")
    forgetful, twice = reports
    assert forgetful["missed"] > 0
    assert (twice["missed"], twice["repeated"] > 0) == (0, True)
