"""Owns publishing for peers that are published to in Python: `<user> <JSON>` a line, on a TCP port.

Lines of one user are sent in their order, those of different users side by side, as different people's requests are.
"""

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

LANES = 32
"""How many broadcasts are on their way at once."""

HOST = "127.0.0.1"

Send = Callable[[str, Any], Awaitable[None]]
"""Takes a user and an event's data."""

Lane = asyncio.Queue[tuple[str, bytes]]


async def publish_lines(port: int, send: Send) -> None:
    """Send whatever comes to the port, for ever."""
    lanes = [Lane() for _ in range(LANES)]

    async def take(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            user, _blank, body = line.partition(b" ")
            lanes[zlib.crc32(user) % LANES].put_nowait((user.decode(), body))

    async with await asyncio.start_server(take, HOST, port), asyncio.TaskGroup() as group:
        for number, lane in enumerate(lanes):
            group.create_task(_send_all(lane, send), name=f"lane {number}")


async def _send_all(lane: Lane, send: Send) -> None:
    while True:
        user, body = await lane.get()
        await send(user, json.loads(body))
