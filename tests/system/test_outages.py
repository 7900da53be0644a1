"""A server that is killed while people go on writing, and what they see until it is back and after."""

import asyncio
import itertools

import pytest

from devstack.waiting import until
from tests.system.conftest import Parts, People
from tests.system.device import PATIENCE, names
from tests.system.system import SCOPE, System

EVERYBODY = {"connection": True, "inbox": True, "push": True}

NOTICES = [f"notice {number}" for number in range(5)]


@pytest.fixture
async def whole(parts: Parts) -> Parts:
    """The system with everybody ready."""
    assert await until(lambda: are_ready(parts.system, EVERYBODY), within=PATIENCE)
    return parts


async def are_ready(system: System, services: dict[str, bool]) -> bool:
    """Whether exactly these services are ready."""
    return await system.ready() == services


async def test_writes_go_on_without_nats_and_arrive_afterwards_in_order_and_once(whole: Parts) -> None:
    """They are answered as always; readiness says that something is wrong."""
    system, people = whole.system, People(whole.system)
    alice, bob = await people.partners()
    async with (
        system.device(alice) as hers,
        system.device(bob) as his,
        system.device(people.someone("eve")) as strangers,
    ):
        await whole.nats.kill()
        try:
            answer = await system.answer(alice)  # raises for anything but 2xx
            for title in NOTICES:
                await system.item(bob, title)
            assert await until(lambda: are_ready(system, dict.fromkeys(EVERYBODY, False)), within=PATIENCE)
            assert not hers.events + his.events + strangers.events
        finally:
            await whole.nats.start()
        for device in (hers, his):
            assert (await device.event("connection_answer:created"))["data"]["answer"] == answer
        await his.event("inbox:created", sender_id=alice)
        await his.event("inbox:unread", unread_count=len(NOTICES) + 1)
        of_alice, of_bob, of_stranger = await system.heard(hers, his, strangers)
        assert names(of_alice) == ["connection_answer:created"]
        assert names(of_bob).count("connection_answer:created") == 1
        items = [frame["data"] for frame in of_bob if frame["event"] == "inbox:created"]
        assert [item["title"] for item in items if item["sender_id"] is None] == NOTICES
        assert len(items) == len(NOTICES) + 1
        assert of_stranger == []
        assert await until(lambda: are_ready(system, EVERYBODY), within=PATIENCE)


async def test_without_postgres_requests_are_told_when_to_come_back_and_then_all_goes_on(whole: Parts) -> None:
    """503 with Retry-After; the sockets stay open; nothing has to be restarted but the server."""
    system, people = whole.system, People(whole.system)
    alice, bob = await people.partners()
    today = await system.get(f"{system.connection}/daily-connections/today", alice)
    answers = f"{system.connection}/daily-connections/{today['id']}/answers"
    async with system.device(bob) as his, system.device(people.someone("eve")) as strangers:
        before = await system.item(bob, "before")
        await his.event("inbox:unread")
        await whole.postgres.kill()
        try:
            for method, url, body in (
                ("POST", answers, {"text": "The sea."}),
                ("GET", f"{system.connection}/daily-connections/today", None),
                ("GET", f"{system.inbox}/items", None),
                ("POST", f"{system.inbox}/items/{before['id']}/read", None),
            ):
                refused = await system.ask(method, url, alice, body=body)
                assert refused.status_code == 503, url
                assert float(refused.headers["Retry-After"]) > 0
                assert refused.headers["Content-Type"] == "application/problem+json"
            assert await system.ready() == {"connection": False, "inbox": False, "push": True}
        finally:
            await whole.postgres.start()
        answer = await system.insist("POST", answers, alice, body={"text": "The sea."})
        assert (await his.event("connection_answer:created"))["data"]["answer"] == answer
        assert (await his.event("inbox:created", sender_id=alice))["data"]["body"] == answer["text"]
        await his.event("inbox:unread", unread_count=2)
        of_bob, of_stranger = await system.heard(his, strangers)
        assert names(of_bob).count("connection_answer:created") == 1
        assert names(of_bob).count("inbox:created") == 2
        assert of_stranger == []
        assert await until(lambda: are_ready(system, EVERYBODY), within=PATIENCE)


@pytest.mark.parametrize("victim", ["postgres", "nats"])
async def test_what_is_answered_201_while_a_server_is_killed_and_comes_back_arrives_once(
    whole: Parts, victim: str
) -> None:
    """Writes are under way at every moment of it. One that was refused may have been made all the same."""
    system, server = whole.system, whole.postgres if victim == "postgres" else whole.nats
    bob = People(system).someone("bob")
    answered: dict[str, int] = {}
    numbers = itertools.count()
    enough = asyncio.Event()

    async def write() -> None:
        while not enough.is_set():
            title = f"number {next(numbers)}"
            body = {"recipient_id": bob, "kind": "notice", "title": title}
            response = await system.ask("POST", f"{system.inbox}/items", "another-service", scope=SCOPE, body=body)
            answered[title] = response.status_code

    def written() -> int:
        return list(answered.values()).count(201)

    async def more(count: int) -> bool:
        before = written()
        return await until(lambda: written() >= before + count, within=PATIENCE)

    async with system.device(bob) as device:
        async with asyncio.TaskGroup() as writers:
            for _ in range(4):
                writers.create_task(write())
            assert await more(20)
            await server.kill()
            await server.start()
            assert await more(20)
            enough.set()
        assert set(answered.values()) <= {201, 503}
        kept = {title for title, status in answered.items() if status == 201}

        def titles() -> list[str]:
            return [frame["data"]["title"] for frame in device.events if frame["event"] == "inbox:created"]

        await device.until(lambda: kept <= set(titles()))
        await system.heard(device)
        arrived = [title for title in titles() if title in answered]
        assert kept <= set(arrived)
        assert len(arrived) == len(set(arrived))
