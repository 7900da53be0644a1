"""Owns the faults of whole processes: killed, frozen, restarted."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from bench.faults.scene import Row, Scene
from bench.faults.stack import COPIES, SERVICES
from devstack.processes import Child

FROZEN: Final = {"connection": 5.0, "inbox": 5.0, "push": 5.0, "nats": 5.0, "postgres": 12.0}
"""Seconds. A relay is replaced after 3 s of silence, a client gives a gateway up after 4 s, a publish waits 2 s and a
statement 10 s."""


def _kill(victim: str) -> Callable[[Scene], Awaitable[None]]:
    async def inject(scene: Scene) -> None:
        child = _victim(scene, victim)
        await child.kill()
        await scene.pause(0.2, 2.0)
        await child.start()

    return inject


def _freeze(victim: str) -> Callable[[Scene], Awaitable[None]]:
    async def inject(scene: Scene) -> None:
        child = _victim(scene, victim)
        child.freeze()
        try:
            await asyncio.sleep(FROZEN[victim])
        finally:
            child.thaw()

    return inject


def _victim(scene: Scene, name: str) -> Child:
    """A server, or of a service the copy whose relay is active, every other time perhaps the other one."""
    if name == "postgres":
        return scene.stack.postgres
    if name == "nats":
        return scene.stack.nats
    number = scene.chance.choice([scene.stack.active.get(name, 0), scene.chance.randrange(COPIES)])
    scene.stack.mark(f"the victim is {name}-{number}; active is {scene.stack.active.get(name)}")
    return scene.stack.copies[name][number]


async def _restart_all(scene: Scene) -> None:
    """One process after another, so that at some time there are two relays that believe to be next."""
    for number in range(COPIES):
        for service in SERVICES:
            await scene.stack.copies[service][number].restart()


ROWS: Final = (
    Row("kill-connection", _kill("connection")),
    Row("kill-inbox", _kill("inbox")),
    Row("kill-gateway", _kill("push")),
    Row("kill-nats", _kill("nats")),
    Row("kill-postgres", _kill("postgres")),
    Row("freeze-connection", _freeze("connection")),
    Row("freeze-inbox", _freeze("inbox")),
    Row("freeze-gateway", _freeze("push")),
    Row("freeze-nats", _freeze("nats")),
    Row("freeze-postgres", _freeze("postgres"), rounds=2),
    Row("restart-all-copies", _restart_all, rounds=2),
)
