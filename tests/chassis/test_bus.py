"""The connection to NATS: had sooner or later, kept, and given up only with the whole process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from structlog.testing import capture_logs

from chassis.bus import Bus
from chassis.errors import BusUnavailable
from devstack.nats import Nats
from devstack.ports import free_port
from devstack.processes import running
from devstack.waiting import until

Connect = Callable[..., AbstractAsyncContextManager[Bus]]


def told_of(told: list, *what: object) -> Callable[..., Awaitable[None]]:  # type: ignore[type-arg]
    async def tell(*given: object) -> None:
        told.extend(what or given)

    return tell


async def test_the_server_may_be_started_later(server_dir: Path) -> None:
    """Who waits for the connection waits as long as it takes, and is not told of a reconnection."""
    nats = Nats(server_dir / "late-nats", free_port())
    bus = Bus((f"nats://127.0.0.1:{free_port()}", nats.url), name="test")
    told: list[str] = []
    bus.on_reconnect(told_of(told, "reconnected"))
    with capture_logs() as lines:
        task = asyncio.create_task(bus.run())
        assert await until(lambda: len(lines) > 1, within=10)
    assert {line["log_level"] for line in lines} == {"warning"}
    assert not bus.connected
    async with running(nats):
        async with asyncio.timeout(10):
            await bus.wait_until_connected()
        assert (bus.connected, told) == (True, [])
        task.cancel()
        await asyncio.wait([task])
    assert (bus.connected, bus.client.is_closed) == (False, True)


async def test_who_is_cancelled_just_when_an_answer_comes_is_cancelled(bus: Bus) -> None:
    """Python 3.11 forgets it, and whoever asks again and again would never end."""
    went_on = False

    async def ask() -> None:
        nonlocal went_on
        await bus.client.request("question", timeout=10)
        went_on = True

    async def cancel_and_answer(question: Msg) -> None:
        (waiting,) = bus.client._resp_map.values()  # noqa: SLF001 - the moment is between its answer and who waits
        waiting.add_done_callback(lambda _: asking.cancel())
        await question.respond(b"answer")

    await bus.client.subscribe("question", cb=cancel_and_answer)
    asking = asyncio.create_task(ask())
    await asyncio.wait([asking])
    assert (asking.cancelled(), went_on) == (True, False)


async def test_who_is_cancelled_while_a_message_waits_to_be_sent_is_cancelled(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nats-py forgets it, when so much waits that it waits too."""
    monkeypatch.setattr(bus.client, "_max_pending_size", 1)
    went_on = False

    async def say() -> None:
        nonlocal went_on
        await bus.client.publish("news", b"more than may wait")
        went_on = True

    saying = asyncio.create_task(say())
    await asyncio.sleep(0)  # it has begun to wait: nothing is sent before the next turn of the loop
    assert not saying.done()
    saying.cancel()
    await asyncio.wait([saying])
    assert (saying.cancelled(), went_on) == (True, False)


async def test_a_lost_server_is_found_again_and_subscriptions_go_on(nats: Nats, bus: Bus) -> None:
    """Each time, and those who want to know are told when it is done."""
    told: list[str] = []
    heard: list[Msg] = []
    bus.on_reconnect(told_of(told, "first"))
    bus.on_reconnect(told_of(told, "second"))
    await bus.client.subscribe("things.>", cb=told_of(heard))
    for time in (1, 2):
        await nats.kill()
        assert await until(lambda: not bus.connected, within=10)
        await nats.start()
        assert await until(lambda at=time: len(told) == 2 * at, within=10)  # type: ignore[misc]
        assert bus.connected
        await bus.client.publish("things.alice", b"")
        assert await until(lambda at=time: len(heard) == at, within=10)  # type: ignore[misc]
    assert told == ["first", "second"] * 2


async def test_a_nudge_reaches_who_listens_for_it_and_nobody_else(nats: Nats, bus: Bus, connect: Connect) -> None:
    """It is empty: a hint to look."""
    async with connect(nats) as listening:
        heard: list[Msg] = []
        others: list[Msg] = []
        await listening.client.subscribe("relay.things", cb=told_of(heard))
        await listening.client.subscribe("relay.others", cb=told_of(others))
        await listening.jetstream.account_info()  # the server has seen all before it; nats-py's flush overtakes it
        await bus.nudge("relay.things")
        assert await until(lambda: len(heard) == 1, within=10)
        assert (heard[0].data, others) == (b"", [])


async def test_a_nudge_without_a_connection_is_lost_without_a_word(nats: Nats, bus: Bus) -> None:
    """It was a hint, and whoever it was for looks by itself some time."""
    never = Bus((nats.url,), name="never connected")
    await never.nudge("relay.things")
    await nats.kill()
    assert await until(lambda: not bus.connected, within=10)
    await bus.nudge("relay.things")


async def test_a_connection_that_is_closed_for_good_ends_the_run(nats: Nats) -> None:
    """The client gives up on some of the server's complaints; the process must not live on without a connection."""
    bus = Bus((nats.url,), name="test")
    task = asyncio.create_task(bus.run())
    async with asyncio.timeout(10):
        await bus.wait_until_connected()
        too_large = "x" * (bus.client.max_payload + 1)
        await bus.client.publish("things.alice", b"", headers={"too-large": too_large})
        with pytest.raises(BusUnavailable, match="maximum payload violation"):
            await task
    assert not bus.connected


@pytest.mark.parametrize("turns", range(0, 30, 3))
async def test_it_can_be_stopped_at_any_moment_while_it_connects(nats: Nats, turns: int) -> None:
    """Also at those at which nats-py takes the cancellation for its own."""
    bus = Bus((nats.url,), name="test")
    task = asyncio.create_task(bus.run())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait([task])
    assert task.cancelled()
