"""Owns the faults of the databases, short of the death of their server."""

import asyncio
import contextlib
from typing import Final

import asyncpg
import httpx

from bench.faults.scene import NotAsIntended, Row, Scene
from bench.faults.stack import dsn
from bench.faults.writer import WRITE_SCOPE
from chassis.leadership import LOCK
from devstack.waiting import until

SOMEBODY: Final = "somebody else"
"""How the one who takes all connections calls himself."""

OPENED_AT_ONCE: Final = 20
"""Connections that somebody opens at a time."""

NOTICED: Final = 10.0
"""Seconds within which there must be a relay again that is active, or a connection to be had."""

DATABASES: Final = ("connection", "inbox")

_OVERTAKEN: Final = """
SELECT EXISTS (SELECT FROM changes WHERE seq IS NOT NULL AND id > (SELECT id FROM changes WHERE row ->> 'id' = $1))
"""

_END_OTHERS: Final = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND application_name <> $1
"""

_COUNT_OTHERS: Final = """
SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> $1
"""

_HOLDER: Final = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (classid::bigint << 32) + objid::bigint = $1
"""

_END_PUBLISHING: Final = f"""
WITH publishing AS MATERIALIZED (
    SELECT pid FROM pg_stat_activity WHERE pid = ({_HOLDER}) AND state = 'idle'
    AND state_change > (SELECT max(at) FROM changes WHERE seq IS NULL))
SELECT pid FROM publishing WHERE pg_terminate_backend(pid)
"""  # noqa: S608 - our own text
"""Ends the connection of the relay that has read all there is to publish, has not marked it, and asks for nothing."""


async def _commit_late(scene: Scene) -> None:
    """Rows get their ids at once and become visible long after those with higher ids."""
    connection = await scene.stack.connect("inbox")
    try:
        async with connection.transaction():
            rows = await connection.fetch(
                "INSERT INTO inbox_items (recipient_id, kind, title)"
                " SELECT unnest($1::text[]), 'notice', 'committed late' RETURNING id",
                scene.crowd.users,
            )
            await scene.pause(2.0, 5.0)
            if not await connection.fetchval(_OVERTAKEN, str(rows[-1]["id"])):
                raise NotAsIntended("nothing with a higher id was published before the commit")
        scene.writer.acked |= {(str(row["id"]), "insert") for row in rows}
    finally:
        await connection.close()


async def _use_up_connections(scene: Scene) -> None:
    """Somebody takes every connection that the server has, those reserved for superusers and the services' included."""
    async with contextlib.AsyncExitStack() as theirs:
        await _take_all(scene, theirs)
        if not await until(lambda: _is_refused(scene), within=NOTICED, every=0.1):
            raise NotAsIntended("a write is not refused with 503 although there is no connection to the database")
        await scene.pause(2.0, 5.0)
        if not await _is_full(scene):
            raise NotAsIntended("the server has taken another connection meanwhile")
    if not await until(lambda: _has_room(scene), within=NOTICED, every=0.1):
        raise NotAsIntended("the server takes no connections although they were all given back")


async def _take_all(scene: Scene, theirs: contextlib.AsyncExitStack) -> None:
    first = await scene.stack.connect("postgres")
    theirs.push_async_callback(first.close)
    await first.execute(f"SET application_name = '{SOMEBODY}'")
    full = False
    while not full:
        # Whoever still has one is put out, and whoever wants one is slower than we are: until nothing is left.
        await first.fetchval(_END_OTHERS, SOMEBODY)
        opened = await asyncio.gather(*(_one_more(scene) for _ in range(OPENED_AT_ONCE)))
        for connection in opened:
            if connection is not None:
                theirs.push_async_callback(connection.close)
        full = opened == [None] * OPENED_AT_ONCE and not await first.fetchval(_COUNT_OTHERS, SOMEBODY)


async def _one_more(scene: Scene) -> asyncpg.Connection | None:
    try:
        return await asyncpg.connect(
            dsn(scene.stack.postgres, "postgres"), timeout=20, server_settings={"application_name": SOMEBODY}
        )
    except asyncpg.TooManyConnectionsError:
        return None


async def _is_full(scene: Scene) -> bool:
    connection = await _one_more(scene)
    if connection is not None:
        await connection.close()
    return connection is None


async def _has_room(scene: Scene) -> bool:
    return not await _is_full(scene)


async def _is_refused(scene: Scene) -> bool:
    """Whether a write is answered 503. One that is answered 201 counts like any other."""
    user = scene.crowd.users[0]
    body = {"recipient_id": user, "kind": "notice", "title": "Is there room?"}
    try:
        answer = await scene.crowd.send("POST", "inbox", "/inbox/items", user, body, scope=WRITE_SCOPE)
    except httpx.HTTPError:
        return False
    if answer.is_success:
        scene.writer.acked.add((answer.json()["id"], "insert"))
    return answer.status_code == httpx.codes.SERVICE_UNAVAILABLE


async def _depose(scene: Scene) -> None:
    """The connections of active relays end while they publish, which they find out only when they come to mark: until
    then there are two of a database that believe to be the active one."""
    admins = [await scene.stack.connect(database) for database in DATABASES]
    try:
        for _ in range(scene.chance.randint(3, 6)):
            await scene.pause(0.0, 1.5)
            await _end_leader(scene.chance.choice(admins))
    finally:
        for admin in admins:
            await admin.close()


async def _end_leader(admin: asyncpg.Connection) -> None:
    ended: int | None = None

    async def end() -> bool:
        nonlocal ended
        ended = await admin.fetchval(_END_PUBLISHING, LOCK)
        return ended is not None

    async def replaced() -> bool:
        return await admin.fetchval(_HOLDER, LOCK) not in (None, ended)

    if not await until(end, within=NOTICED, every=0.001):
        raise NotAsIntended(f"no relay was seen to publish anything for {NOTICED:g} s")
    if not await until(replaced, within=NOTICED):
        raise NotAsIntended(f"no relay has become active in place of the one whose connection ended {NOTICED:g} s ago")


ROWS: Final = (
    Row("late-commit", _commit_late),
    Row("postgres-out-of-connections", _use_up_connections),
    Row("two-relays", _depose),
)
