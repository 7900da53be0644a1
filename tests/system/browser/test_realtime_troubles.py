"""realtime.js and a server that closes sockets in every way, falls silent, or sends nonsense."""

import asyncio
import json
from typing import Any

import pytest

from tests.system.browser.conftest import Browsers
from tests.system.browser.door import EPOCH, Behaviour, Call, Door
from tests.system.browser.listening import Somebody, Tab

HARDLY = [0.01] * 9
"""What the jitter draws for hardly any pauses."""

LIMIT = {"retry_after": 1, "detail": "too many"}


async def greet_and_stay(call: Call) -> None:
    """What a gateway does."""
    await call.hello()
    await call.stay()


def closing(code: int, reason: str = "", *, times: int = 1, greeting: bool = True) -> Behaviour:
    """Close so many sockets with a code, after a hello or at once; then be a gateway."""

    async def close(call: Call) -> None:
        if call.number > times:
            await greet_and_stay(call)
        else:
            if greeting:
                await call.hello()
            await call.socket.close(code, reason)

    return close


async def cut(call: Call) -> None:
    """End the first socket without a word."""
    if call.number == 1:
        await call.hello()
        call.socket.transport.abort()
    else:
        await greet_and_stay(call)


async def at(door: Door, name: str, browsers: Browsers, **options: Any) -> tuple[Somebody, Tab]:
    """A page that is connected to one address of the door, or tries to be."""
    somebody = await Somebody.arrive(browsers)
    tab = await somebody.blank(name)
    await tab.listen(door.url(name), **options)
    return somebody, tab


async def pauses(tab: Tab) -> list[float]:
    """How long it said that it would wait each time, in ms."""
    return [change["pause"] for change in await tab.said("status") if change["retryAt"]]


@pytest.mark.parametrize("code", [1001, 1013, 4408, 1011, None])
async def test_a_socket_that_just_ended_is_resumed(browsers: Browsers, code: int | None) -> None:
    """With the same token, from where it was."""
    async with Door.of(gone=closing(code) if code else cut) as door:
        somebody, tab = await at(door, "gone", browsers, draws=HARDLY)
        await tab.until("said.hello.length === 2")

        first, second = door.calls["gone"]
        assert (first.query, second.query) == ({}, {"epoch": EPOCH, "since": "7"})
        assert first.token == second.token
        assert somebody.asked == [("gone", False)]
        assert [change["code"] for change in await tab.said("status")] == [0, code or 1006, 0]


async def test_a_refused_token_is_replaced_at_once_and_then_with_patience(browsers: Browsers) -> None:
    """Each refusal costs one fresh token; from the second one on there are pauses."""
    async with Door.of(refused=closing(4401, "the token has expired", times=3, greeting=False)) as door:
        somebody, tab = await at(door, "refused", browsers, draws=[0.1, 0.1])
        await tab.live()

        assert [round(pause / 50) for pause in await pauses(tab)] == [0, 1, 2]
        assert [fresh for _, fresh in somebody.asked] == [False, True, True, True]
        assert len(door.calls["refused"]) == 4


async def test_a_refusal_while_a_token_is_being_renewed_asks_for_no_other(browsers: Browsers) -> None:
    """As after a sleep: the renewal is overdue and the socket was closed, both at the same moment."""
    over = asyncio.Event()

    async def refuse_later(call: Call) -> None:
        await call.hello()
        if call.number == 1:
            await over.wait()
            await call.socket.close(4401)
        await call.stay()

    async with Door.of(later=refuse_later) as door:
        somebody = await Somebody.arrive(browsers)
        somebody.ttl = 1
        tab = await somebody.blank("later")
        await tab.page.evaluate("""() => {
          const of = tokenOf;
          const released = new Promise((resolve) => (window.release = resolve));
          window.tokenOf = async (user, fresh) => {
            window.renewing = fresh;
            return of(user, fresh).finally(() => fresh && released);
          };
        }""")
        await tab.listen(door.url("later"))
        await tab.until("renewing && rt.status === 'live'")
        over.set()
        await tab.until("rt.status === 'reconnecting'")
        await tab.page.evaluate("release()")
        await tab.live()

        assert [fresh for _, fresh in somebody.asked] == [False, True]
        assert len(door.calls["later"]) == 2


async def test_an_expired_token_is_not_even_shown(browsers: Browsers) -> None:
    """A page that kept one for too long asks for another one before it connects."""
    async with Door.of(open=greet_and_stay) as door:
        somebody = await Somebody.arrive(browsers)
        somebody.ttl = -1
        tab = await somebody.blank("open")
        await tab.page.expose_function("later", lambda: setattr(somebody, "ttl", 3600))
        await tab.page.evaluate("() => { const of = tokenOf; window.tokenOf = (...how) => of(...how).finally(later); }")
        await tab.listen(door.url("open"))
        await tab.live()

        assert [fresh for _, fresh in somebody.asked] == [False, True]
        assert len(door.calls["open"]) == 1


async def test_who_has_too_many_waits_as_long_as_is_asked(browsers: Browsers) -> None:
    """Neither the browser's `online` nor another tab that takes over comes back sooner."""
    async with Door.of(limited=closing(4429, json.dumps(LIMIT))) as door:
        somebody, tab = await at(door, "limited", browsers)
        other = await somebody.blank("limited")
        await other.listen(door.url("limited"))
        for each in (tab, other):
            await each.until("said.status.at(-1)?.code === 4429")
            for _ in range(3):
                await each.page.evaluate("dispatchEvent(new Event('online'))")
        assert (await tab.said("status"))[-1]["reason"] == "too many"
        assert [round(pause / 100) for pause in await pauses(tab)] == [10]
        await tab.page.close()
        await other.live()

        first, second = door.calls["limited"]
        assert second.at - first.at >= 0.99


async def test_who_is_told_to_stop_stops(browsers: Browsers) -> None:
    """Whatever happens then: another page comes back many times meanwhile, these do not."""
    doors = {"broken": closing(4400, "no"), "forbidden": closing(4403, "no"), "again": closing(1013, times=5)}
    async with Door.of(**doors) as door:
        for name, code in (("broken", 4400), ("forbidden", 4403)):
            _, tab = await at(door, name, browsers, draws=HARDLY)
            await tab.until("rt.status === 'stopped'")
            await tab.page.evaluate("dispatchEvent(new Event('online'))")
            change = (await tab.said("status"))[-1]
            assert (change["reason"], change["code"], change["retryAt"]) == ("no", code, None)
        _, other = await at(door, "again", browsers, draws=HARDLY)
        await other.until("said.hello.length === 6")

        assert {name: len(calls) for name, calls in door.calls.items()} == {"broken": 1, "forbidden": 1, "again": 6}


async def test_pauses_grow_and_are_drawn_from_all_of_their_range(browsers: Browsers) -> None:
    """A hello alone does not make them short again; a heartbeat does."""

    async def unsteady(call: Call) -> None:
        await call.hello()
        if call.number == 6:
            await call.send(event="heartbeat", seq=7)
        if call.number > 6:
            await call.stay()
        await call.socket.close(1013)

    async with Door.of(unsteady=unsteady) as door:
        _, tab = await at(door, "unsteady", browsers, draws=[0.1, 0.1, 0.1, 0.1, 0, 0.1])
        await tab.until("said.hello.length === 7")

        assert [round(pause / 50) for pause in await pauses(tab)] == [1, 2, 4, 8, 0, 1]


async def test_silence_for_two_heartbeats_is_noticed(browsers: Browsers) -> None:
    """The socket says nothing more, and is not closed either."""

    async def fall_silent(call: Call) -> None:
        await call.hello(heartbeat=1)
        await call.stay()

    async with Door.of(silent=fall_silent) as door:
        _, tab = await at(door, "silent", browsers, draws=HARDLY)
        await tab.until("said.hello.length === 2")

        first, second = door.calls["silent"]
        assert second.at - first.at >= 2
        assert second.query["epoch"] == EPOCH
        assert (await tab.said("status"))[1]["reason"] == "nothing was heard for too long"


async def test_each_source_has_its_place_and_state_is_fetched_when_told(browsers: Browsers) -> None:
    """A late event of one source is heard behind a newer one of the other; what was heard is not heard again."""

    async def say_much(call: Call) -> None:
        if call.number == 1:
            await call.hello(seq=10)
            await call.events("connection_answer:created", 16)
            await call.events("inbox:updated", 14)
            await call.send(event="heartbeat", seq=16, whole=12)
            await call.events("inbox:updated", 14, 15)
        elif call.number == 2:
            await call.hello(seq=12)
            await call.events("inbox:updated", 15)
            await call.events("connection_answer:created", 16)
            await call.events("inbox:updated", 17)
            await call.send(event="resync", seq=30, data={"reason": "restored", "epoch": "second"})
            await call.events("inbox:updated", 25, 31)
        else:
            await call.hello(seq=5, resumed=False, epoch="third")
            await call.events("inbox:updated", 6)
            await call.stay()
        await call.socket.close(1001)

    async with Door.of(much=say_much) as door:
        _, tab = await at(door, "much", browsers, draws=HARDLY)

        assert await tab.heard(at_least=6) == [16, 14, 15, 17, 31, 6]
        assert await tab.resyncs() == ["connected", "restored", "events were missed"]
        queries = [call.query for call in door.calls["much"]]
        assert queries == [
            {},
            {"epoch": EPOCH, "since": "12", "connection": "16", "inbox": "15"},
            {"epoch": "second", "since": "30", "inbox": "31"},
        ]


async def test_nothing_that_goes_wrong_reaches_the_page(browsers: Browsers) -> None:
    """Listeners and `getToken` that throw or reject, frames that are none: it is told of, and the next event comes."""

    async def babble(call: Call) -> None:
        await call.hello()
        for nonsense in ("no json", "null", "[1", "{}", '{"event": 5}'):
            await call.socket.send(nonsense)
        await call.socket.send(b"\x00\x01")
        await call.events("inbox:updated", 8)
        await call.stay()

    async with Door.of(babble=babble) as door:
        somebody = await Somebody.arrive(browsers)
        tab = await somebody.blank("babble")
        await tab.page.evaluate("""() => {
          const none = () => { throw "none"; };
          const answers = [() => Promise.reject(new Error("no token")), () => Promise.reject(), none];
          const of = tokenOf;
          window.tokenOf = (...how) => (answers.shift() ?? of)(...how);
        }""")
        await tab.listen(door.url("babble"), draws=HARDLY)
        await tab.page.evaluate("""() => {
          for (const name of ["frame", "hello", "status", "resync", "inbox:updated", "error"]) {
            rt.on(name, () => { throw new Error(`thrown by ${name}`); });
            rt.on(name, async () => { throw new Error(`rejected by ${name}`); });
            rt.once(name, () => null.nothing);
          }
        }""")

        assert await tab.heard(at_least=1) == [8]
        await tab.until("said.error.includes('rejected by inbox:updated')")
        errors = await tab.said("error")
        assert "no token" in errors
        assert sum("this is no frame" in str(error) for error in errors) == 6
        assert len(await tab.resyncs()) == 7, "each might have been an event"
        assert await tab.page.evaluate("wires.length") == 1


async def test_a_token_that_never_comes_is_asked_for_again(browsers: Browsers) -> None:
    """`getToken` may hang for ever; the page is told, and can still leave."""
    somebody = await Somebody.arrive(browsers)
    tab = await somebody.blank("nobody")
    await tab.page.clock.install()
    await tab.page.evaluate("() => { window.asked = 0; window.tokenOf = () => new Promise(() => asked++); }")
    await tab.listen("ws://127.0.0.1:1/never", draws=HARDLY)
    assert await tab.page.evaluate("[asked, rt.status]") == [1, "connecting"]

    await tab.page.clock.run_for(16_000)

    assert await tab.page.evaluate("[asked, rt.status]") == [2, "reconnecting"]
    assert await tab.said("error") == ["no token came in time"]
    await tab.page.evaluate("rt.close()")
    await tab.page.clock.run_for(60_000)
    assert await tab.page.evaluate("[asked, rt.status, wires.length]") == [2, "closed", 0]
