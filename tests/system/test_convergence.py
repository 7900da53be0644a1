"""After every action of either API, what a client believes from frames alone is what it would fetch."""

import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.system.conftest import People
from tests.system.device import Device, names
from tests.system.page import Page, State
from tests.system.system import System

pytestmark = pytest.mark.long

STEPS = 40
"""Actions of a walk: each of the eight kinds some times, in less than 10 s."""

Route = tuple[str, str]
Heard = tuple[list[str], list[str]]
"""The names of the events that Alice and Bob must hear of an action; everybody else must hear nothing."""


@dataclass
class Stage:
    """Alice, Bob and Eve, each with a page open. An action is done, whoever it is for, and says who must hear what."""

    system: System
    pages: Sequence[Page]
    chance: random.Random
    partnered: bool = False
    unanswered: list[str] = field(default_factory=list)

    @property
    def alice(self) -> str:
        return self.pages[0].device.user

    @property
    def bob(self) -> str:
        return self.pages[1].device.user

    @property
    def items(self) -> list[dict[str, Any]]:
        """Those of Bob's."""
        return self.pages[1].state.items

    async def put(self) -> Heard:
        await self.system.item(self.bob)
        return [], ["inbox:created", "inbox:unread"]

    async def read(self) -> Heard:
        """One that was read before, too: that changes nothing."""
        item = self.chance.choice(self.items)
        await self.system.post(f"{self.system.inbox}/items/{item['id']}/read", self.bob)
        return [], [] if item["is_read"] else ["inbox:updated", "inbox:unread"]

    async def read_all(self) -> Heard:
        bound = self.chance.choice(self.items)["id"]
        unread = [item for item in self.items if item["id"] <= bound and not item["is_read"]]
        answer = await self.system.post(f"{self.system.inbox}/items/read-all", self.bob, {"through": bound})
        assert answer == {"updated": len(unread)}
        return [], ["inbox:updated"] * len(unread) + ["inbox:unread"] * bool(unread)

    async def delete(self) -> Heard:
        url = f"{self.system.inbox}/items/{self.chance.choice(self.items)['id']}"
        (await self.system.ask("DELETE", url, self.bob)).raise_for_status()
        return [], ["inbox:deleted", "inbox:unread"]

    async def invite(self) -> Heard:
        await self.system.post(f"{self.system.connection}/partnership/invites", self.alice)
        return [], []

    async def accept(self) -> Heard:
        invite = await self.system.post(f"{self.system.connection}/partnership/invites", self.alice)
        await self.system.post(f"{self.system.connection}/partnership/accept", self.bob, {"code": invite["code"]})
        self.partnered, self.unanswered = True, [self.alice, self.bob]
        return ["connection_partnership:created"], ["connection_partnership:created"]

    async def end(self) -> Heard:
        url = f"{self.system.connection}/partnership"
        (await self.system.ask("DELETE", url, self.chance.choice([self.alice, self.bob]))).raise_for_status()
        self.partnered, self.unanswered = False, []
        return ["connection_partnership:ended"], ["connection_partnership:ended"]

    async def answer(self) -> Heard:
        author = self.unanswered.pop(self.chance.randrange(len(self.unanswered)))
        await self.system.answer(author)
        mine, others = ["connection_answer:created"], ["connection_answer:created", "inbox:created", "inbox:unread"]
        return (mine, others) if author == self.alice else (others, mine)

    async def converged(self, route: Route, heard: Heard) -> None:
        """Wait for what must be heard; then that is all, and everybody believes what they would fetch."""
        devices = [page.device for page in self.pages]
        for device, expected in zip(devices, heard, strict=False):
            await has_heard(device, expected)
        told = [sorted(names(frames)) for frames in await self.system.heard(*devices)]
        assert told == [sorted(each) for each in (*heard, [])], route
        for page in self.pages:
            await page.apply(self.system)
            truth = await State.fetched(self.system, page.device.user)
            assert page.state == truth, f"{page.device.user} after {route}"


async def has_heard(device: Device, expected: Sequence[str]) -> None:
    """Wait until a device has got events of these names, since it was last asked."""
    await device.until(lambda: Counter(expected) <= Counter(names(device.frames[device.judged :])), what=str(expected))


ROUTES: dict[Route, Callable[[Stage], Awaitable[Heard]]] = {
    ("post", "/v1/inbox/items"): Stage.put,
    ("post", "/v1/inbox/items/{item_id}/read"): Stage.read,
    ("post", "/v1/inbox/items/read-all"): Stage.read_all,
    ("delete", "/v1/inbox/items/{item_id}"): Stage.delete,
    ("post", "/v1/partnership/invites"): Stage.invite,
    ("post", "/v1/partnership/accept"): Stage.accept,
    ("delete", "/v1/partnership"): Stage.end,
    ("post", "/v1/daily-connections/{connection_id}/answers"): Stage.answer,
}

CAN: dict[Callable[[Stage], Awaitable[Heard]], Callable[[Stage], bool]] = {
    Stage.read: lambda stage: bool(stage.items),
    Stage.read_all: lambda stage: bool(stage.items),
    Stage.delete: lambda stage: bool(stage.items),
    Stage.invite: lambda stage: not stage.partnered,
    Stage.accept: lambda stage: not stage.partnered,
    Stage.end: lambda stage: stage.partnered and not stage.unanswered,
    Stage.answer: lambda stage: bool(stage.unanswered),
}
"""When an action makes sense; one that is not named always does."""


@pytest.fixture
async def stage(system: System, people: People) -> AsyncIterator[Stage]:
    """Nobody has a partner or an item yet."""
    async with contextlib.AsyncExitStack() as stack:
        pages = []
        for name in ("alice", "bob", "eve"):
            device = await stack.enter_async_context(system.device(people.someone(name)))
            pages.append(Page(device, await State.fetched(system, device.user), len(device.frames)))
        yield Stage(system, pages, random.Random(1))


OF_TOKENS = {("post", "/v1/sessions/revoke")}
"""What changes nothing that a client holds but its token; tests/system/test_revocation.py tries it."""


async def test_every_route_that_changes_anything_is_tried(system: System) -> None:
    """Also the one that somebody adds; with other methods it would change nothing."""
    documented = set()
    for url in (system.inbox.removesuffix("/v1/inbox"), system.connection.removesuffix("/v1")):
        paths = (await system.http.get(f"{url}/openapi.json")).json()["paths"]
        documented |= {(m, path) for path in paths if path.startswith("/v1/") for m in paths[path] if m != "get"}
    assert documented == ROUTES.keys() | OF_TOKENS


async def test_after_every_action_a_client_believes_what_it_would_fetch(stage: Stage) -> None:
    """Items, read flags, the unread count, partner, answers and suggestions: of both partners, and of a stranger."""
    done: Counter[Route] = Counter()
    for _ in range(STEPS):
        possible = [route for route, action in ROUTES.items() if action not in CAN or CAN[action](stage)]
        route = min(possible, key=lambda each: (done[each], stage.chance.random()))
        await stage.converged(route, await ROUTES[route](stage))
        done[route] += 1
    assert done.keys() == ROUTES.keys()
