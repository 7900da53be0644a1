"""Owns the load: a stream of writes of every kind by many users, none tried twice, recording what was acked."""

import asyncio
import contextlib
import random
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx

from bench.faults.crowd import Crowd
from bench.faults.typist import Typist

IN_FLIGHT = 100
"""Writes under way at once. While a copy is frozen each waits for its timeout; what would exceed this is not begun."""

WRITE_SCOPE = "inbox:write"

KNOWN = 30
"""Items of a user that are marked and removed one by one: those made last. Older ones are removed by lines of SQL."""


class Writer:
    """Has a crowd write through the services' APIs, and somebody type SQL beside them.

    Attributes:
        acked: the `(thing, operation)` of each write that was answered 2xx or committed.
    """

    def __init__(self, crowd: Crowd, chance: random.Random, *, rate: float) -> None:
        self.acked: set[tuple[str, str]] = set()
        self._refused = 0
        self._crowd = crowd
        self._chance = chance
        self._rate = rate
        self._typist = Typist(crowd, random.Random(chance.random()), self.acked)  # noqa: S311 - not a secret
        self._items: defaultdict[str, deque[str]] = defaultdict(partial(deque, maxlen=KNOWN))
        self._free = asyncio.Semaphore(IN_FLIGHT)
        self._enough = asyncio.Event()
        self._kinds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (50, self._create), (20, self._read), (4, self._read_all), (12, self._delete), (14, self._answer),
        ]  # fmt: skip

    @property
    def refused(self) -> int:
        """Writes that were neither answered 2xx nor seen to be committed, whatever became of them."""
        return self._refused + self._typist.refused

    async def run(self) -> None:
        """Write until told that it is enough, then until the last write has ended."""
        weights, kinds = zip(*self._kinds, strict=True)
        async with asyncio.TaskGroup() as writes:
            writes.create_task(self._typist.run(self._enough), name="typist")
            while not self._enough.is_set():
                (kind,) = self._chance.choices(kinds, weights)
                if not self._free.locked():
                    writes.create_task(self._write(kind), name="write")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._chance.expovariate(self._rate)):
                        await self._enough.wait()

    def stop(self) -> None:
        """Begin no further write."""
        self._enough.set()

    async def _write(self, kind: Callable[[], Awaitable[None]]) -> None:
        async with self._free:
            try:
                await kind()
            except (httpx.HTTPError, OSError):  # no answer; it may have been done all the same
                self._refused += 1

    async def _create(self) -> None:
        user = self._chance.choice(self._crowd.users)
        body = {"recipient_id": user, "kind": "notice", "title": "A notice"}
        created = await self._sent("POST", "inbox", "/inbox/items", "another-service", body, scope=WRITE_SCOPE)
        if created is not None:
            self._items[user].append(created["id"])
            self.acked.add((created["id"], "insert"))

    async def _read(self) -> None:
        user = self._chance.choice(self._crowd.users)
        if self._items[user]:
            await self._sent("POST", "inbox", f"/inbox/items/{self._chance.choice(self._items[user])}/read", user)

    async def _read_all(self) -> None:
        user = self._chance.choice(self._crowd.users)
        if self._items[user]:
            await self._sent("POST", "inbox", "/inbox/items/read-all", user, {"through": self._items[user][-1]})

    async def _delete(self) -> None:
        user = self._chance.choice(self._crowd.users)
        if self._items[user]:
            item = self._chance.choice(self._items[user])
            self._items[user].remove(item)
            if await self._sent("DELETE", "inbox", f"/inbox/items/{item}", user) is not None:
                self.acked.add((item, "delete"))

    async def _answer(self) -> None:
        if self._crowd.questions:
            question, user = self._crowd.questions.pop()
            path = f"/daily-connections/{question}/answers"
            answer = await self._sent("POST", "connection", path, user, {"text": "The sea."})
            if answer is not None:
                self.acked.add((answer["id"], "insert"))

    async def _sent(
        self, method: str, service: str, path: str, user: str, body: Any = None, *, scope: str = ""
    ) -> Any | None:
        """What a write that was answered 2xx gave; None if it was refused, or there is no such item any more."""
        response = await self._crowd.send(method, service, path, user, body, scope=scope)
        if response.is_success:
            return response.json() if response.content else {}
        if response.status_code == 503:
            self._refused += 1
        elif response.status_code != 404:  # somebody else has removed the item
            raise AssertionError(f"{method} {path}: {response.status_code} {response.text}")
        return None
