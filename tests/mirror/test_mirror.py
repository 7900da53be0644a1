"""The mirror beside the old design: what one side does not deliver is named, and nothing else."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.job.system import Person
from chassis.auth import issue_token
from chassis.bus import Bus
from chassis.settings import BusSettings
from chassis.streams import Stream
from contracts import streams
from devstack.nats import Nats
from mirror.app import mirror
from mirror.errors import SideRefused
from mirror.observing import TOKEN, Watched
from mirror.report import Document, lines
from mirror.settings import Settings
from tests.mirror.conftest import Lossy
from tests.push_gateway.stage import AUTH, Gateway, running_gateway

ITEMS = 100
"""Of each of three people, each of them changed: of 300 messages some three are lost."""

SETTLING = 3.0
LATE = 20.0
"""Seconds; whether something is late is told by the comparison's own tests, on no busy machine."""

PATIENCE = 60.0


@pytest.fixture
async def gateway(nats: Nats, bus: Bus) -> AsyncIterator[Gateway]:
    """A gateway on a bus that is the mirror's alone."""
    await Stream(bus, streams.EVENTS, replicas=1).wait()
    async with running_gateway(nats) as running:
        yield running


def push_url(gateway: Gateway) -> str:
    return f"ws://127.0.0.1:{gateway.port}/v1/push"


def settings(old: Lossy, gateway: Gateway, person: Person) -> Settings:
    """As an operator sets them."""
    address = old.socket(person)
    path = address.path.replace(person.token, TOKEN)
    return Settings(redis_url=old.redis_url, old_url=f"ws://127.0.0.1:{address.port}{path}", new_url=push_url(gateway))


def watched(person: Person, *, token: str | None = None) -> Watched:
    """A person of the old side, whom the new side knows under the mirror's prefix."""
    return Watched(person.id, {"old": token or person.token, "new": issue_token(AUTH, f"mirror-{person.id}", ttl=600)})


@contextlib.asynccontextmanager
async def mirroring(
    old: Lossy, gateway: Gateway, nats: Nats, people: Sequence[Person]
) -> AsyncIterator[list[Document]]:
    """The mirror while the block runs; then there is its report."""
    stop, started = asyncio.Event(), asyncio.Event()
    chosen = settings(old, gateway, people[0])
    task = asyncio.create_task(
        mirror(
            *(chosen, BusSettings(url=(nats.url,)), [watched(person) for person in people], stop),
            late=LATE,
            settling=SETTLING,
            started=started.set,
        )
    )
    reports: list[Document] = []
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({task, waiting}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    assert started.is_set(), task
    try:
        yield reports
    finally:
        stop.set()
        reports.append(await task)


async def act(old: Lossy, person: Person, path: str, **body: str) -> None:
    """Do something by the old side's API."""
    address = old.socket(person)
    headers = {"Authorization": f"Bearer {person.token}"}
    async with httpx.AsyncClient(headers=headers, timeout=PATIENCE) as http:
        url = f"http://127.0.0.1:{address.port}/api/{path}"
        (await http.post(url, json=body)).raise_for_status()


async def test_exactly_what_the_old_side_lost_is_named(old: Lossy, gateway: Gateway, nats: Nats) -> None:
    """One in a hundred, as its channel layer has written them down; the new side has delivered everything."""
    alice, bob, carol = people = await old.people(["alice", "bob", "carol"])
    ((question,),) = await old.questions([(alice, bob)], 1)
    for person in people:
        await old.items(person, [f"notice {number}" for number in range(ITEMS)])
    async with mirroring(old, gateway, nats, people) as reports:
        await act(old, alice, f"daily-connections/{question}/answers/", text="The sea.")
        for person in (bob, carol, alice):
            await act(old, person, "inbox/mark_all_as_read/")
    (report,) = reports
    lost = Counter((sent.user, sent.event, sent.data["id"]) for sent in old.lost())
    named = Counter(
        (user, each["event"], each["about"])
        for user, sides in report["users"].items()
        for each in sides["old"]["missing"]
    )
    assert named == lost
    assert len(lost) >= 3
    for sides in report["users"].values():
        assert sides["new"]["fine"], sides["new"]
        assert (sides["old"]["extra"], sides["old"]["late"], sides["old"]["reordered"]) == ([], [], [])
    messages = 3 * ITEMS + 1 + 4  # bob's new item is marked too; the answer is told to both, and the item twice
    assert report["published"] == sum(sides["new"]["delivered"] for sides in report["users"].values()) == messages
    assert sum(sides["old"]["delivered"] for sides in report["users"].values()) == messages - lost.total()
    assert not report["fine"]
    assert sum("missing: inbox:updated" in line for line in lines(report)) == lost.total()


async def test_nobody_gets_a_frame_who_is_not_watched(old: Lossy, gateway: Gateway, nats: Nats) -> None:
    """Neither by the id that the old side has for them, nor somebody else under the mirror's prefix."""
    alice, bob = await old.people(["dave", "eve"])
    await old.items(alice, ["a notice"])
    async with contextlib.AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(
                connect(
                    push_url(gateway),
                    subprotocols=[Subprotocol("tandem.v1"), Subprotocol(f"bearer.{issue_token(AUTH, user, ttl=600)}")],
                    proxy=None,
                )
            )
            for user in (alice.id, f"mirror-{bob.id}")
        ]
        async with mirroring(old, gateway, nats, [alice]) as reports:
            await act(old, alice, "inbox/mark_all_as_read/")
        assert reports[0]["users"][alice.id]["new"]["delivered"] == 1
        for socket in sockets:
            assert json.loads(await socket.recv())["event"] == "hello"
            await socket.close()
            assert [text async for text in socket] == []


async def test_a_token_that_a_side_refuses_ends_the_mirror(old: Lossy, gateway: Gateway, nats: Nats) -> None:
    """With the side and the user, and not with a report in which everything is missing."""
    (alice,) = await old.people(["frank"])
    wrong = watched(alice, token="no token")
    with pytest.RaisesGroup(pytest.RaisesGroup(SideRefused)):
        await mirror(settings(old, gateway, alice), BusSettings(url=(nats.url,)), [wrong], asyncio.Event())
