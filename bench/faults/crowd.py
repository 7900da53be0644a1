"""Owns the people of a row: pairs of partners with questions to answer, and how their devices fetch their state."""

import asyncio
import random
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from bench.faults.device import Unfetched
from bench.faults.run import Expected, UserState, item_state
from bench.faults.stack import COPIES, Stack

DAYS = 30
"""Questions a pair: two answers each, more than a row asks for."""

PAGE = 200
"""Items a page, the most that there are."""

FETCHES = 16
"""States fetched at once. Where thousands of devices want theirs, more would only wait for each other's timeouts."""

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
        published: events that somebody else than a service has published to them.
    """

    stack: Stack
    http: httpx.AsyncClient
    chance: random.Random
    users: list[str] = field(default_factory=list)
    questions: list[tuple[str, str]] = field(default_factory=list)
    published: list[Expected] = field(default_factory=list)
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    _awaited: dict[str, asyncio.Task[UserState]] = field(default_factory=dict)
    _fetches: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, FETCHES))

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
        if (user, scope) not in self._tokens:
            self._tokens[user, scope] = self.stack.token(user, scope)
        headers = {"Authorization": f"Bearer {self._tokens[user, scope]}"}
        return await self.http.request(method, url, json=body, headers=headers)

    async def asked(self, method: str, service: str, path: str, user: str, body: Any = None) -> Any:
        """What is answered, which must be 2xx."""
        return (await self.send(method, service, path, user, body)).raise_for_status().json()

    async def fetch(self, user: str) -> UserState:
        """The state of `user` as the lists of both services show it, asked for after this call. Devices of one user
        that wait for that together share what is answered.

        Raises:
            Unfetched: one of them did not answer with it.
        """
        if user not in self._awaited:
            self._awaited[user] = asyncio.create_task(self._fetch(user), name=f"fetch {user}")
        return await asyncio.shield(self._awaited[user])

    async def _fetch(self, user: str) -> UserState:
        async with self._fetches:
            del self._awaited[user]  # whoever comes from now on must be answered anew
            try:
                async with asyncio.timeout(10):
                    items, count = await self._all("inbox", "/inbox/items", user)
                    days, _ = await self._all("connection", "/daily-connections", user)
            except (httpx.HTTPError, TimeoutError) as error:
                raise Unfetched from error
        answers = frozenset(answer["id"] for day in days for answer in day["answers"])
        return UserState({item["id"]: item_state(item) for item in items}, answers, count["unread_count"])

    async def _all(self, service: str, path: str, user: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """All entries of a list, and its first page."""
        first = page = await self.asked("GET", service, f"{path}?limit={PAGE}", user)
        entries = [*page["items"]]
        while page["next_cursor"] is not None:
            page = await self.asked("GET", service, f"{path}?limit={PAGE}&cursor={page['next_cursor']}", user)
            entries += page["items"]
        return entries, first
