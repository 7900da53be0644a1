"""Owns the fault that somebody publishes or writes what nobody can process. It is kept, and stops nothing behind it."""

import datetime as dt
import time
import uuid
from collections.abc import Iterator
from typing import Final

from nats.js import JetStreamContext

from bench.faults.run import Expected
from bench.faults.scene import NotAsIntended, Row, Scene
from contracts.cloudevents import Event
from contracts.subjects import (
    DEADLETTERS_STREAM,
    INBOX_CONSUMER,
    UserId,
    dead_letter_subject,
    event_subject,
    user_id,
)
from devstack.waiting import until

KEPT_WITHIN: Final = 15.0
"""Seconds within which what cannot be processed must be where it is kept."""

NAME: Final = "connection_answer:created"

BODIES: Final = (b'{"answer": 5}', b"not JSON", b"\xff is not UTF-8")
"""Data that is not of its event's shape, that is not JSON, and that is not even text: only of the first is a frame."""

_INSERT: Final = "INSERT INTO inbox_items (recipient_id, kind, title) VALUES ($1, 'notice', 'soon away') RETURNING id"

_SPOIL: Final = "UPDATE changes SET row = row - 'title' WHERE op = 'insert' AND row ->> 'id' = $1"

_REMOVE_DEAD: Final = "DELETE FROM dead_changes WHERE op = 'insert' AND row ->> 'id' = $1 RETURNING id"


async def _publish(scene: Scene) -> None:
    """To some users: events that no reader of the bus can process, and rows that the relay cannot publish."""
    client = await scene.stack.bus()
    try:
        jetstream = client.jetstream()
        users = [user_id(user) for user in scene.chance.sample(scene.crowd.users, 5)]
        published: dict[int, bytes] = {}
        for user in users:
            for headers, body in _messages(scene, user):
                ack = await jetstream.publish(event_subject(user, "connection"), body, headers=headers)
                published[ack.seq] = body
            await _write(scene, user)
            await scene.pause(0.0, 0.5)
        await _see_them_kept(jetstream, published)
    finally:
        await client.close()


def _messages(scene: Scene, user: UserId) -> Iterator[tuple[dict[str, str], bytes]]:
    """Headers and bodies. Those that the gateway can make frames of are expected on the user's devices."""
    yield {}, b"it has no headers"
    for body in BODIES:
        event = Event(str(uuid.UUID(int=scene.chance.getrandbits(128))), NAME, user, dt.datetime.now(dt.UTC), body)
        if body is BODIES[0]:
            scene.crowd.published.append(
                Expected(event.id, user, "connection", NAME, 0, event.id, time.time(), readable=False)
            )
        yield event.headers(), body


async def _see_them_kept(jetstream: JetStreamContext, published: dict[int, bytes]) -> None:
    """Raises:
    NotAsIntended: a message is not among the dead letters, as it was.
    """
    missing = dict(published)
    seen = 0

    async def kept() -> bool:
        nonlocal seen
        last = (await jetstream.stream_info(DEADLETTERS_STREAM)).state.last_seq
        while seen < last:
            seen += 1
            letter = await jetstream.get_msg(DEADLETTERS_STREAM, seq=seen)
            sequence = int((letter.headers or {})["Dead-Letter-Sequence"])
            if letter.subject == dead_letter_subject(INBOX_CONSUMER) and missing.get(sequence) == letter.data:
                del missing[sequence]
        return not missing

    if not await until(kept, within=KEPT_WITHIN, every=0.1):
        raise NotAsIntended(f"of {len(published)} messages {sorted(missing)} are not among the dead letters")


async def _write(scene: Scene, user: UserId) -> None:
    """An item, and away with it, and what was captured of its coming is spoilt: that it went can be told, that it came
    cannot. Somebody looks at what the relay has put aside, and removes it from there."""
    connection = await scene.stack.connect("inbox")
    try:
        async with connection.transaction():
            item = await connection.fetchval(_INSERT, user)
            await connection.execute(_SPOIL, str(item))
            await connection.execute("DELETE FROM inbox_items WHERE id = $1", item)
        scene.writer.acked.add((str(item), "delete"))

        async def put_aside() -> bool:
            return await connection.fetchval(_REMOVE_DEAD, str(item)) is not None

        if not await until(put_aside, within=KEPT_WITHIN, every=0.1):
            raise NotAsIntended(f"the insertion of {item} is not among the dead changes")
    finally:
        await connection.close()


ROWS: Final = (Row("unprocessable-message", _publish, rounds=2),)
