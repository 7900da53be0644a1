"""Owns staying with a child: that its end is everybody's, unless it was taken down on purpose and comes back."""

import asyncio
from typing import Any

from devstack.errors import ChildEnded
from devstack.processes import Child


class RestartUnderWay(Exception):
    """The child is being restarted already."""


class Keeper:
    """Stays with one child that is ready."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._wish: asyncio.Future[float] | None = None  # for how long it shall be down; None: it cannot be taken down
        self._over = asyncio.Event()  # the restart that was wished for last, however it ended

    async def run(self) -> None:
        """Stay until cancelled.

        Raises:
            ChildEnded: it ended, and nobody had asked for that.
            NotReady: it was restarted, and did not become ready in time.
        """
        try:
            while True:
                down_for = await self._stay()
                await self._child.stop()
                await asyncio.sleep(down_for)
                await self._child.start()
                self._over.set()
        finally:
            self._wish = None
            self._over.set()

    async def restart(self, *, down_for: float) -> bool:
        """Have the child stopped, left down for so many seconds and started again.

        Returns whether it is ready again; it is not if everything is stopped meanwhile.

        Raises:
            RestartUnderWay: it is down, or not ready again yet.
        """
        if self._wish is None or self._wish.done():
            raise RestartUnderWay
        self._over.clear()
        self._wish.set_result(down_for)
        await self._over.wait()
        return self._wish is not None

    async def _stay(self) -> float:
        """With the running child, until somebody wishes it to be down for so many seconds."""
        wish: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._wish = wish
        end = asyncio.create_task(self._child.wait(), name=f"wait for {self._child.name}'s end")
        either: set[asyncio.Future[Any]] = {end, wish}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                raise ChildEnded(self._child.name, end.result())
            return wish.result()
        finally:
            end.cancel()
