"""Owns the people of a row: pairs of partners with questions to answer, and how their devices fetch their state."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench.faults.device import Unfetched
from bench.faults.run import ItemState, UserState, item_state
from bench.faults.stack import COPIES, Stack

DAYS = 60
"""Questions a pair: two answers each, more than a row asks for."""

PAGE = 200
"""Items a page, the most that there are."""

_QUESTIONS = """
INSERT INTO daily_connections (partnership_id, date, question_id, question)
SELECT $1, date '2000-01-01' + day, 'q' || day, 'Question ' || day || '?' FROM generate_series(1, $2) AS day
RETURNING id
"""


@dataclass
class Crowd:
    """Some users.

    Attributes:
        questions: what can still be answered, and by whom.
    """

    stack: Stack
    http: httpx.AsyncClient
    chance: random.Random
    users: list[str] = field(default_factory=list)
    questions: list[tuple[str, str]] = field(default_factory=list)

    async def gather(self, name: str, pairs: int) -> None:
        """Make the pairs and their questions. Nothing is broken at that time, so every request must succeed."""
        connection = await self.stack.connect("connection")
        try:
            for number in range(pairs):
                pair = f"{name}-{number}-a", f"{name}-{number}-b"
                invite = await self.asked("POST", "connection", "/partnership/invites", pair[0])
                body = {"code": invite["code"]}
                partnership = await self.asked("POST", "connection", "/partnership/accept", pair[1], body)
                rows = await connection.fetch(_QUESTIONS, partnership["id"], DAYS)
                self.questions += [(str(row["id"]), user) for row in rows for user in pair]
                self.users += pair
        finally:
            await connection.close()
        self.chance.shuffle(self.questions)

    async def send(
        self, method: str, service: str, path: str, user: str, body: Any = None, *, scope: str = ""
    ) -> httpx.Response:
        """The response of one copy or the other; raises httpx.HTTPError if there is none in time."""
        url = f"{self.stack.url(service, self.chance.randrange(COPIES))}{path}"
        headers = {"Authorization": f"Bearer {self.stack.token(user, scope)}"}
        return await self.http.request(method, url, json=body, headers=headers)

    async def asked(self, method: str, service: str, path: str, user: str, body: Any = None) -> Any:
        """What is answered, which must be 2xx."""
        return (await self.send(method, service, path, user, body)).raise_for_status().json()

    async def fetch(self, user: str) -> UserState:
        """The state of `user` as the lists of both services show it.

        Raises:
            Unfetched: one of them did not answer with it.
        """
        try:
            async with asyncio.timeout(10):
                items, unread = await self._items(user)
                days = await self._all("connection", "/daily-connections", user)
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unfetched from error
        answers = frozenset(answer["id"] for day in days for answer in day["answers"])
        return UserState(items, answers, unread)

    async def _items(self, user: str) -> tuple[dict[str, ItemState], int]:
        items = {item["id"]: item_state(item) for item in await self._all("inbox", "/inbox/items", user)}
        count = await self.asked("GET", "inbox", "/inbox/unread-count", user)
        return items, count["unread_count"]

    async def _all(self, service: str, path: str, user: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.asked("GET", service, f"{path}?limit={PAGE}{cursor}", user)
            entries += page["items"]
            if page["next_cursor"] is None:
                return entries
            cursor = f"&cursor={page['next_cursor']}"
