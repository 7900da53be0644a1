"""Owns the faults of whole processes: killed, also at chosen steps, frozen, restarted."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from bench.faults.scene import NotAsIntended, Row, Scene
from bench.faults.stack import COPIES, SERVICES
from chassis.failpoints import VARIABLE, Point, last_words
from devstack.processes import Child
from devstack.waiting import until

FROZEN: Final = {"connection": 5.0, "inbox": 5.0, "push": 5.0, "nats": 8.0, "postgres": 12.0}
"""Seconds. A relay is replaced after 3 s of silence, a client gives a gateway up after 4 s, a connection to NATS
counts as dead after 4 to 6 s, a publish waits 2 s and a statement 10 s."""

DEADLINE: Final = 30.0
"""Seconds within which a process must have come to its fail point. Under this load it takes one or two."""

AWAY: Final = 5
MISSED: Final = 400
"""So many users get so many items while no gateway runs: more than one reading of a replay (256 events)."""

_WRITE_MISSED: Final = """
INSERT INTO inbox_items (recipient_id, kind, title)
SELECT user_id, 'notice', 'missed' FROM unnest($1::text[]) AS user_id, generate_series(1, $2) RETURNING id
"""

_IS_PUBLISHED: Final = "SELECT seq IS NOT NULL FROM changes WHERE op = 'insert' AND row ->> 'id' = $1"


def _kill(victim: str) -> Callable[[Scene], Awaitable[None]]:
    async def inject(scene: Scene) -> None:
        child = _victim(scene, victim)
        await child.kill()
        try:
            await scene.pause(0.2, 2.0)
        finally:
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


def _die_at(point: Point, *services: str, most: int) -> Callable[[Scene], Awaitable[None]]:
    """A copy of one of the services dies when it comes to the point for the n-th time, n being `most` at most."""

    async def inject(scene: Scene) -> None:
        service = scene.chance.choice(services)
        number = scene.stack.active.pop(service, 0)
        child, other = scene.stack.copies[service][number], scene.stack.copies[service][1 - number]
        told = f"{point}:{scene.chance.randint(1, most)}"
        scene.stack.mark(f"{child.name} is to die at {told}")
        await child.stop()
        if point is Point.REPLAYING:
            await other.stop()
            await _write_what_is_missed(scene)

        async def ready_or_dead() -> bool:
            return not child.running or await child.ready()

        def leads_or_dead() -> bool:
            return not child.running or service == "push" or scene.stack.active.get(service) == number

        async with _doomed(child, told, last_words(point)):
            await until(ready_or_dead, within=DEADLINE)
            await other.stop()  # its relay is active since the victim was stopped, or its sockets are not the victim's
            await until(leads_or_dead, within=DEADLINE)
            await other.start()

    return inject


@contextlib.asynccontextmanager
async def _doomed(child: Child, told: str, last_words: str) -> AsyncIterator[None]:
    """The process runs and was told to die. When the block ends it must do so within `DEADLINE`; then it runs again.

    Raises:
        NotAsIntended: it did not, or not there.
    """
    said: list[str] = []
    sink = child.sink

    def overhear(name: str, line: str) -> None:
        said.append(line)
        sink(name, line)

    child.sink = overhear
    child.env[VARIABLE] = told
    try:
        await child.spawn()
        yield
        if not await until(lambda: not child.running, within=DEADLINE):
            raise NotAsIntended(f"{child.name} did not come to {told} within {DEADLINE:g} s")
        if await child.wait() != -signal.SIGKILL or said[-1] != last_words:
            raise NotAsIntended(f"{child.name} ended, but not at {told}: {said[-1:]}")
    finally:
        child.sink = sink
        del child.env[VARIABLE]
        await child.stop()
        await child.start()


async def _write_what_is_missed(scene: Scene) -> None:
    """Have some people get many items, and wait until they are in the stream: what is not yet would come live."""
    connection = await scene.stack.connect("inbox")
    try:
        rows = await connection.fetch(_WRITE_MISSED, scene.chance.sample(scene.crowd.users, AWAY), MISSED)
        scene.writer.acked |= {(str(row["id"]), "insert") for row in rows}
        last = str(rows[-1]["id"])

        async def published() -> bool:
            return bool(await connection.fetchval(_IS_PUBLISHED, last))

        if not await until(published, within=DEADLINE, every=0.1):
            raise NotAsIntended("nothing is published although only the gateways are away")
    finally:
        await connection.close()


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
    Row("failpoint-committed", _die_at(Point.COMMITTED, "connection", "inbox", most=20), rounds=2),
    Row("failpoint-published", _die_at(Point.PUBLISHED, "connection", "inbox", most=40), rounds=2),
    Row("failpoint-acked", _die_at(Point.ACKED, "connection", "inbox", most=20), rounds=2),
    Row("failpoint-consumed", _die_at(Point.CONSUMED, "inbox", most=10), rounds=2),
    Row("failpoint-greeted", _die_at(Point.GREETED, "push", most=10), rounds=2),
    Row("failpoint-replaying", _die_at(Point.REPLAYING, "push", most=2 * MISSED), rounds=2),
)
