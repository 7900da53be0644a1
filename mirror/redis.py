"""Owns the few commands that the mirror gives to Redis (RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/).

A client library would be one more dependency of a package that is there for some weeks.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from mirror.errors import RedisAway

PORT = 6379
CONNECTING = 5.0
"""Seconds."""

BLOCK = 1_000
"""Milliseconds that a read waits for something new; then it is asked again, which also shows a dead connection."""

ANSWERING = 5.0
"""Seconds for an answer, of which `BLOCK` is a part."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream: its id, `<milliseconds>-<number>`, and its fields."""

    id: str
    fields: dict[bytes, bytes]

    @property
    def noted(self) -> int:
        """When it was made, in milliseconds by Redis's clock."""
        return int(self.id.partition("-")[0])


class Redis:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator["Redis"]:
        """A connection to `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.

        Raises:
            RedisAway: there is none to be had.
        """
        parts = urlsplit(url)
        tls = ssl.create_default_context() if parts.scheme == "rediss" else None
        try:
            async with asyncio.timeout(CONNECTING):
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port or PORT, ssl=tls)
        except OSError as error:  # includes TimeoutError
            raise RedisAway(f"Redis does not answer at {parts.hostname}:{parts.port or PORT}: {error!r}") from error
        try:
            redis = cls(reader, writer)
            if parts.password:
                await redis.ask("AUTH", unquote(parts.username or "default"), unquote(parts.password))
            if parts.path.strip("/"):
                await redis.ask("SELECT", parts.path.strip("/"))
            yield redis
        finally:
            writer.close()

    async def read(self, key: str, *, after: str, count: int) -> list[Entry]:
        """The entries behind an id, at most so many; none if nothing comes for a while.

        Raises:
            RedisAway: no answer, or no answer that can be used.
        """
        answer = await self.ask("XREAD", "COUNT", str(count), "BLOCK", str(BLOCK), "STREAMS", key, after)
        if answer is None:
            return []
        ((_, entries),) = answer
        return [Entry(id.decode(), dict(zip(fields[::2], fields[1::2], strict=True))) for id, fields in entries]  # noqa: A001

    async def drop(self, key: str, ids: Sequence[str]) -> None:
        """Delete entries.

        Raises:
            RedisAway: no answer, or a complaint.
        """
        if ids:
            await self.ask("XDEL", key, *ids)

    async def now(self) -> int:
        """Milliseconds by its clock, which also numbers entries.

        Raises:
            RedisAway: no answer.
        """
        seconds, microseconds = await self.ask("TIME")
        return int(seconds) * 1_000 + int(microseconds) // 1_000

    async def ask(self, *words: str) -> Any:
        """The answer to one command.

        Raises:
            RedisAway: there is none, or it is a complaint.
        """
        parts = [word.encode() for word in words]
        self._writer.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
        try:
            async with asyncio.timeout(ANSWERING):
                return await self._answer()
        except (OSError, asyncio.IncompleteReadError) as error:
            raise RedisAway(f"Redis does not answer {words[0]}: {error!r}") from error

    async def _answer(self) -> Any:
        line = await self._reader.readuntil(b"\r\n")
        kind, rest = line[:1], line[1:-2]
        match kind:
            case b"+":
                return rest
            case b":":
                return int(rest)
            case b"$":
                return None if rest == b"-1" else (await self._reader.readexactly(int(rest) + 2))[:-2]
            case b"*":
                return None if rest == b"-1" else [await self._answer() for _ in range(int(rest))]
        raise RedisAway(f"Redis refuses: {rest.decode(errors='replace')}")
