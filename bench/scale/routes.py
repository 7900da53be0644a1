"""Measures what a server of a cluster uses for the subscriptions of another one's clients. It is told of each: it may
be the one that leads the stream, and republishes.
"""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from bench.push import accounting
from bench.push.contender import cores, on_core
from bench.push.contenders.events_stream import silent
from bench.push.orders import user_name
from bench.scale.broker import IN_MICROSECONDS
from bench.scale.plan import Plan
from bench.scale.rows import Row
from bench.scale.subscriptions import Listener, listening
from contracts.subjects import PUSH_ADDRESS
from devstack.errors import StackError
from devstack.nats import Nats, cluster
from devstack.ports import free_port
from devstack.processes import running_together
from devstack.waiting import until

SERVERS: Final = 2

TOLD_WITHIN: Final = 60.0
"""Seconds."""


async def routes(plan: Plan, number: int) -> AsyncIterator[Row]:
    """A round, size by size."""
    async with _servers() as (theirs, other), listening(theirs.port) as listener, listening(other.port) as asking:
        empty, before = accounting.resident([other.pid]), 0
        for size in plan.sizes:
            cpu = accounting.cpu_seconds([other.pid])
            await listener.subscribe(range(before, size))
            await _until_told(asking, listener, last=size - 1)
            used = (accounting.cpu_seconds([other.pid]) - cpu) / (size - before) * IN_MICROSECONDS
            memory, before = float(accounting.resident([other.pid]) - empty), size
            yield Row("routes", size, number, {"subscribe": used, "memory": memory})


async def _until_told(asking: Listener, listener: Listener, *, last: int) -> None:
    """Wait until what one server is given for the last user arrives at the other one's client."""
    subject = PUSH_ADDRESS.format(user_id=user_name(last), source="inbox")
    heard = listener.heard

    def arrived() -> bool:
        asking.publish(subject)
        return listener.heard > heard

    if not await until(arrived, within=TOLD_WITHIN):
        raise StackError(f"a server was not told of {last + 1} subscriptions within {TOLD_WITHIN:g} s")


@contextlib.asynccontextmanager
async def _servers() -> AsyncIterator[tuple[Nats, Nats]]:
    folder = Path(tempfile.mkdtemp(prefix="tandem-scale-"))
    theirs, other = cluster(folder, [(free_port(), free_port()) for _ in range(SERVERS)], sink=silent)
    for server, core in zip((other, theirs), cores(), strict=True):  # the one that is measured has its core to itself
        server.command = [str(part) for part in on_core(core, server.command)]
    try:
        async with running_together([theirs, other]):
            yield theirs, other
    finally:
        shutil.rmtree(folder, ignore_errors=True)
