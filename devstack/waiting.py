"""Owns waiting for a condition with a deadline: what nobody tells us has to be looked at again and again."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool | Awaitable[bool]], *, within: float, every: float = 0.02) -> bool:
    """Look at `condition` every `every` seconds until it holds; False if it does not `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        holds = condition()
        if inspect.isawaitable(holds):
            holds = await holds
        if holds or time.monotonic() >= deadline:
            return holds
        await asyncio.sleep(every)
