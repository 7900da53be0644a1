"""The old design does what its description says; what it is measured for would otherwise be somebody else's."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from bench.job.old import Old
from bench.job.system import Person, sql
from bench.peers.old_design import DATABASE
from bench.push.contender import cores
from devstack.postgres import Postgres

SECRET = "what signs the tokens of these tests, and nothing else"


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
async def old(request: pytest.FixtureRequest, postgres: Postgres) -> AsyncIterator[Old]:
    """The old design on one of its servers."""
    system = Old(request.param, postgres, SECRET)
    reason = system.available()
    if reason is not None:
        pytest.skip(f"the old design is not here: {reason}")
    try:
        await system.start(cores()[0])
        yield system
    finally:
        await system.stop()


@dataclass
class Window:
    """A person's open window."""

    person: Person
    socket: ClientConnection
    http: httpx.AsyncClient

    async def frame(self) -> tuple[str, Any]:
        """The next frame's event and data."""
        frame = json.loads(await self.socket.recv())
        return frame["event"], frame["data"]

    async def post(self, path: str, **body: str) -> Any:
        """What the API answers."""
        return (await self.http.post(path, json=body)).raise_for_status().json()


@contextlib.asynccontextmanager
async def window(old: Old, person: Person) -> AsyncIterator[Window]:
    """A window of `person` that has been greeted."""
    address = old.socket(person)
    headers = {"Authorization": f"Bearer {person.token}"}
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{address.port}/api", headers=headers) as http,
        connect(f"ws://127.0.0.1:{address.port}{address.path}", proxy=None) as socket,
    ):
        opened = Window(person, socket, http)
        assert await opened.frame() == ("connected", {"user": person.id})
        yield opened


@dataclass
class Couple:
    """Two partners, a third person, and a question that is open."""

    alice: Window
    bob: Window
    carol: Window
    question: str


@pytest.fixture
async def couple(old: Old, request: pytest.FixtureRequest) -> AsyncIterator[Couple]:
    """Alice and Bob, who are partners, and Carol, who is nobody's; each looks at a window."""
    names = [f"{name}-{request.node.name}" for name in ("alice", "bob", "carol")]
    alice, bob, carol = await old.people(names)
    ((question,),) = await old.questions([(alice, bob)], 1)
    async with window(old, alice) as first, window(old, bob) as second, window(old, carol) as third:
        yield Couple(first, second, third, question)


async def _hears_nothing_else(old: Old, window: Window) -> None:
    """That the next thing a window shows is what we do now."""
    (item,) = await old.items(window.person, ["the end"])
    await window.http.delete(f"/inbox/{item}/")
    assert await window.frame() == ("inbox:deleted", {"id": int(item)})


async def test_both_partners_are_told_of_an_answer_and_the_other_one_gets_an_item(old: Old, couple: Couple) -> None:
    """The signal and the view both broadcast the item, as in the old design."""
    await couple.alice.post(f"/daily-connections/{couple.question}/answers/", text="The sea.")
    for each in (couple.alice, couple.bob):
        event, data = await each.frame()
        assert event == "connection_answer:created"
        assert data["answer"]["text"] == "The sea."
        assert str(data["connection"]["id"]) == couple.question
    first, second = await couple.bob.frame(), await couple.bob.frame()
    assert first == second
    event, item = first
    assert event == "inbox:created"
    assert (item["body"], str(item["sender"]), item["is_read"]) == ("The sea.", couple.alice.person.id, False)
    await _hears_nothing_else(old, couple.alice)
    await _hears_nothing_else(old, couple.bob)
    await _hears_nothing_else(old, couple.carol)


async def test_a_question_is_answered_once(couple: Couple) -> None:
    """A second answer is a conflict."""
    path = f"/daily-connections/{couple.question}/answers/"
    await couple.bob.post(path, text="Bread.")
    assert (await couple.bob.http.post(path, json={"text": "And wine."})).status_code == httpx.codes.CONFLICT


async def test_marking_an_item_read_tells_its_recipient(old: Old, couple: Couple) -> None:
    """Whoever saves an item broadcasts it."""
    (item,) = await old.items(couple.bob.person, ["a notice"])
    answer = await couple.bob.post(f"/inbox/{item}/mark_as_read/")
    assert answer["is_read"]
    assert await couple.bob.frame() == ("inbox:updated", answer)
    await _hears_nothing_else(old, couple.alice)


async def test_marking_all_read_tells_of_each_item(old: Old, couple: Couple) -> None:
    """Each is saved by itself."""
    items = await old.items(couple.bob.person, [f"notice {number}" for number in range(5)])
    assert await couple.bob.post("/inbox/mark_all_as_read/") == {"updated": 5}
    told = [await couple.bob.frame() for _ in items]
    assert {event for event, _ in told} == {"inbox:updated"}
    assert {str(data["id"]) for _, data in told} == set(items)
    assert all(data["is_read"] for _, data in told)
    await _hears_nothing_else(old, couple.alice)


async def test_a_row_changed_by_sql_is_told_to_nobody(old: Old, postgres: Postgres, couple: Couple) -> None:
    """Signals see what goes through the ORM, one object at a time: the reason for Tandem's change capture."""
    (item,) = await old.items(couple.bob.person, ["a notice"])
    async with sql(postgres, DATABASE) as db:
        await db.execute("UPDATE api_inboxitem SET is_read = true WHERE id = $1", int(item))
    await _hears_nothing_else(old, couple.bob)


async def test_somebody_elses_item_is_not_found(old: Old, couple: Couple) -> None:
    """Neither read nor marked."""
    (item,) = await old.items(couple.bob.person, ["a notice"])
    for path in (f"/inbox/{item}/", f"/inbox/{item}/mark_as_read/"):
        answer = await couple.carol.http.request("POST" if "mark" in path else "GET", path)
        assert answer.status_code == httpx.codes.NOT_FOUND
    await _hears_nothing_else(old, couple.bob)


async def test_a_list_has_fifty_items_a_page(old: Old, couple: Couple) -> None:
    """As many as Tandem's."""
    await old.items(couple.bob.person, ["a notice"] * 51)
    page = (await couple.bob.http.get("/inbox/")).raise_for_status().json()
    assert (page["count"], len(page["results"])) == (51, 50)


async def test_a_socket_without_a_good_token_is_closed(old: Old, couple: Couple) -> None:
    """Nobody listens in somebody else's name."""
    address = old.socket(couple.bob.person)
    async with connect(f"ws://127.0.0.1:{address.port}{address.path}x", proxy=None) as socket:
        await socket.wait_closed()
        assert socket.close_code == 4401
