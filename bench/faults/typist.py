"""Owns what somebody types while the services work: lines of SQL, each of which touches many users and items."""

import asyncio
import contextlib
import random
from typing import Final

import asyncpg

from bench.faults.crowd import Crowd

RATE: Final = 3.0
"""Lines a second, as long as the database takes them: most of a row's changes, since a line makes some hundred."""

USERS: Final = 40
"""Users whom one line touches at most."""

ITEMS: Final = 3
"""Items of each of them. A line that inserts costs each of their devices as many frames at once."""

REMOVED: Final = 4
"""Items of each of them that a line removes: more than one adds, as the services add some too."""

KEPT: Final = 20
"""The newest items of a user, which no line removes: so an inbox is never empty, and one page fetches it."""

TIMEOUT: Final = 4.0
"""Seconds for one line."""

UNKNOWN_OUTCOMES: Final = (
    OSError,  # includes TimeoutError
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg 0.32 raises where its server dies under a statement
)
"""What says that a line was refused or got no answer. It may have been committed all the same."""

_INSERT: Final = """
INSERT INTO inbox_items (recipient_id, kind, title)
SELECT user_id, 'notice', 'typed in' FROM generate_series(1, $2), unnest($1::text[]) AS user_id RETURNING id
"""

_UPDATE: Final = """
UPDATE inbox_items SET is_read = NOT is_read, title = title || '.' WHERE id IN (
    SELECT id FROM unnest($1::text[]) AS user_id, LATERAL (
        SELECT id FROM inbox_items WHERE recipient_id = user_id AND length(title) < 150 ORDER BY random() LIMIT $2
    ) AS picked)
RETURNING id
"""

_DELETE: Final = f"""
DELETE FROM inbox_items WHERE id IN (
    SELECT id FROM unnest($1::text[]) AS user_id, LATERAL (
        SELECT id FROM inbox_items WHERE recipient_id = user_id ORDER BY id DESC OFFSET {KEPT} LIMIT $2
    ) AS older)
RETURNING id
"""  # noqa: S608 - our own number

LINES: Final = (("insert", _INSERT, ITEMS), ("update", _UPDATE, ITEMS), ("delete", _DELETE, REMOVED))


class Typist:
    """Types for a crowd, over one connection.

    Attributes:
        refused: lines that were not committed, as far as could be seen.
    """

    def __init__(self, crowd: Crowd, chance: random.Random, acked: set[tuple[str, str]]) -> None:
        """Put it together; the `(id, operation)` of each row that a committed line has touched is added to `acked`."""
        self.refused = 0
        self._crowd = crowd
        self._chance = chance
        self._acked = acked
        self._connection: asyncpg.Connection | None = None

    async def run(self, enough: asyncio.Event) -> None:
        """Type until it is enough."""
        while not enough.is_set():
            operation, line, items = self._chance.choice(LINES)
            users = self._chance.sample(self._crowd.users, min(USERS, len(self._crowd.users)))
            try:
                await self._type(operation, line, users, items)
            except asyncpg.SyntaxOrAccessError:
                raise
            except UNKNOWN_OUTCOMES:
                self.refused += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._chance.expovariate(RATE)):
                    await enough.wait()
        self._hang_up()

    async def _type(self, operation: str, line: str, users: list[str], items: int) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                if self._connection is None:
                    self._connection = await self._crowd.stack.connect("inbox")
                rows = await self._connection.fetch(line, users, items)
        except BaseException:
            self._hang_up()
            raise
        self._acked |= {(str(row["id"]), operation) for row in rows}

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
