"""What is told of the relay and of a consumer in numbers."""

import asyncio
import datetime as dt

from prometheus_client import REGISTRY
from sqlalchemy import text

from chassis.backlog import Backlog
from chassis.database import Database
from chassis.lag import Lag
from chassis.streams import Stream
from contracts.streams import Shape
from devstack.waiting import until
from tests.chassis.conftest import Insert, Marks, Sql, StartRelay

DEAD = Shape("DEAD", ("dead.>",), max_age=dt.timedelta(days=1), duplicate_window=dt.timedelta(minutes=2))


def told(name: str) -> float:
    """What a metric says now."""
    value = REGISTRY.get_sample_value(f"tandem_{name}")
    assert value is not None, f"nobody tells tandem_{name}"
    return value


async def test_the_backlog_is_what_was_committed_and_is_not_in_the_stream(
    database: Database, insert: Insert, sql: Sql
) -> None:
    """With the age of the oldest, and what could not be published."""
    await insert("a", "b", "c")
    await sql("UPDATE changes SET at = now() - interval '1 minute' WHERE id = (SELECT min(id) FROM changes)")
    await sql("UPDATE changes SET seq = 7 WHERE row ->> 'note' = 'c'")
    await sql(
        "INSERT INTO dead_changes (id, event_id, table_name, op, row, at, error)"
        " VALUES (99, gen_random_uuid(), 'things', 'insert', '{}', now(), 'it has no meaning')"
    )
    backlog = Backlog(every=0)
    backlog.begin()
    async with database.engine.connect() as connection:
        await backlog.look(connection)
    assert (told("relay_active"), told("relay_backlog_changes"), told("relay_dead_changes")) == (1, 2, 1)
    assert 60 <= told("relay_oldest_change_age_seconds") < 90
    backlog.end()
    assert {told(f"relay_{name}") for name in ("active", "backlog_changes", "oldest_change_age_seconds")} == {0}


async def test_it_is_not_looked_at_all_the_time(database: Database, insert: Insert) -> None:
    """A relay under load makes hundreds of turns a second."""
    backlog = Backlog(every=3600)
    backlog.begin()
    async with database.engine.connect() as connection:
        await backlog.look(connection)
        await connection.execute(text("INSERT INTO things (note) VALUES ('a')"))
        await backlog.look(connection)
    assert told("relay_backlog_changes") == 0
    backlog.end()


async def test_only_an_active_relay_tells_of_it(start_relay: StartRelay, insert: Insert, marks: Marks) -> None:
    """What it publishes is counted; one that has ended knows nothing."""
    published = told("relay_published_events_total")
    relay, _, task = start_relay(look_every=0)
    await insert("a", "double", "nothing", "unmappable")
    assert len(await marks()) == 3
    assert await until(lambda: told("relay_dead_changes") == 1, within=20)
    assert told("relay_published_events_total") == published + 3
    assert told("relay_active") == 1
    task.cancel()
    await asyncio.wait([task])
    assert told("relay_active") == told("relay_dead_changes") == 0
    assert not relay.active


async def test_a_lost_stream_is_counted(start_relay: StartRelay, insert: Insert, marks: Marks, things: Stream) -> None:
    """By the relay that finds it."""
    losses = told("relay_stream_losses_total")
    _, _, task = start_relay()
    await insert("a")
    await marks()
    task.cancel()
    await asyncio.wait([task])
    await things.bus.jetstream.delete_stream(things.name)
    start_relay()
    assert await until(lambda: told("relay_stream_losses_total") == losses + 1, within=20)


async def test_a_consumer_is_behind_by_what_it_was_not_given_and_by_what_is_not_done(things: Stream) -> None:
    """And what it gave up is counted where it is kept."""
    jetstream = things.bus.jetstream
    dead = Stream(things.bus, DEAD, replicas=1)
    await dead.ensure()
    await jetstream.publish("dead.letters", b"a")
    for body in (b"a", b"b", b"c"):
        await jetstream.publish("things.alice.insert", body)
    subscription = await jetstream.pull_subscribe("things.>", "things-service", stream=things.name)
    await subscription.fetch(1)
    task = asyncio.create_task(Lag(things, durable="things-service", dead_letters=dead, every=0.05).run())

    def all_told() -> tuple[float, ...]:
        names = ("pending_messages", "unacknowledged_messages", "dead_letters")
        return tuple(told(f"consumer_{name}") for name in names)

    assert await until(lambda: all_told() == (2, 1, 1), within=20)
    await jetstream.delete_consumer(things.name, "things-service")
    assert not await until(task.done, within=0.3), "it goes on when there is no consumer yet"
    task.cancel()
    await asyncio.wait([task])
    assert all_told() == (2, 1, 1)
    await subscription.unsubscribe()
