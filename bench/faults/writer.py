"""Owns the load: a stream of writes of every kind by many users, none tried twice, recording what was acked."""

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx

from bench.faults.crowd import Crowd

IN_FLIGHT = 100
"""Writes under way at once. While a copy is frozen each waits for its timeout; what would exceed this is not begun."""

SQL_TIMEOUT = 4.0
"""Seconds for one statement that is typed in."""

WRITE_SCOPE = "inbox:write"

UNKNOWN_OUTCOMES = (
    httpx.HTTPError,
    OSError,  # includes TimeoutError
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg 0.32 raises where its server dies under a statement
)
"""What says that a write got no answer. It may have been done all the same."""

_INSERT = """
INSERT INTO inbox_items (recipient_id, kind, title)
SELECT user_id, 'notice', 'typed in' FROM unnest($1::text[]) AS user_id RETURNING id
"""

_UPDATE = """
UPDATE inbox_items SET is_read = NOT is_read, title = title || '.' WHERE id IN (
    SELECT id FROM inbox_items WHERE recipient_id = ANY($1) AND length(title) < 150 ORDER BY random() LIMIT 4)
RETURNING id
"""

_DELETE = """
DELETE FROM inbox_items WHERE id IN (SELECT id FROM inbox_items WHERE recipient_id = ANY($1) ORDER BY id LIMIT 3)
RETURNING id
"""


class Writer:
    """Writes for a crowd.

    Attributes:
        acked: the `(thing, operation)` of each write that was answered 2xx or committed.
        refused: writes that were not, whatever became of them.
    """

    def __init__(self, crowd: Crowd, chance: random.Random, *, rate: float) -> None:
        self.acked: set[tuple[str, str]] = set()
        self.refused = 0
        self._crowd = crowd
        self._chance = chance
        self._rate = rate
        self._items: defaultdict[str, list[str]] = defaultdict(list)
        self._free = asyncio.Semaphore(IN_FLIGHT)
        self._typing = asyncio.Lock()
        self._typed: asyncpg.Connection | None = None
        self._enough = asyncio.Event()
        self._kinds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (45, self._create), (14, self._read), (5, self._read_all), (10, self._delete), (12, self._answer),
            (6, self._type_insert), (6, self._type_update), (2, self._type_delete),
        ]  # fmt: skip

    async def run(self) -> None:
        """Write until told that it is enough, then until the last write has ended."""
        weights, kinds = zip(*self._kinds, strict=True)
        async with asyncio.TaskGroup() as writes:
            while not self._enough.is_set():
                (kind,) = self._chance.choices(kinds, weights)
                if not self._free.locked():
                    writes.create_task(self._write(kind), name="write")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._chance.expovariate(self._rate)):
                        await self._enough.wait()
        if self._typed is not None:
            self._typed.terminate()

    def stop(self) -> None:
        """Begin no further write."""
        self._enough.set()

    async def _write(self, kind: Callable[[], Awaitable[None]]) -> None:
        async with self._free:
            try:
                await kind()
            except UNKNOWN_OUTCOMES:
                self.refused += 1

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
            item = self._items[user].pop(self._chance.randrange(len(self._items[user])))
            if await self._sent("DELETE", "inbox", f"/inbox/items/{item}", user) is not None:
                self.acked.add((item, "delete"))

    async def _answer(self) -> None:
        if self._crowd.questions:
            question, user = self._crowd.questions.pop()
            path = f"/daily-connections/{question}/answers"
            answer = await self._sent("POST", "connection", path, user, {"text": "The sea."})
            if answer is not None:
                self.acked.add((answer["id"], "insert"))

    async def _type_insert(self) -> None:
        await self._type(_INSERT, "insert", self._some_users(5))

    async def _type_update(self) -> None:
        await self._type(_UPDATE, "update", self._some_users(3))

    async def _type_delete(self) -> None:
        await self._type(_DELETE, "delete", self._some_users(2))

    def _some_users(self, count: int) -> list[str]:
        return self._chance.sample(self._crowd.users, min(count, len(self._crowd.users)))

    async def _sent(
        self, method: str, service: str, path: str, user: str, body: Any = None, *, scope: str = ""
    ) -> Any | None:
        """What a write that was answered 2xx gave; None if it was refused."""
        response = await self._crowd.send(method, service, path, user, body, scope=scope)
        if response.is_success:
            return response.json() if response.content else {}
        if response.status_code != 503 and response.status_code != 404:  # somebody else has removed the item
            raise AssertionError(f"{method} {path}: {response.status_code} {response.text}")
        self.refused += 1
        return None

    async def _type(self, statement: str, operation: str, users: list[str]) -> None:
        """Have somebody type SQL; whoever that is types one line at a time."""
        async with self._typing, asyncio.timeout(SQL_TIMEOUT):
            try:
                if self._typed is None:
                    self._typed = await self._crowd.stack.connect("inbox")
                rows = await self._typed.fetch(statement, users)
            except BaseException:
                if self._typed is not None:
                    self._typed.terminate()
                    self._typed = None
                raise
        self.acked |= {(str(row["id"]), operation) for row in rows}
