"""A service that dies between two steps: what it had promised is kept by the next process, once."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import nats
import pytest
from httpx import TransportError
from nats.js import JetStreamContext

from chassis.failpoints import VARIABLE, Point
from contracts.subjects import EVENTS_STREAM, INBOX_CONSUMER, event_subject, source_filter, user_id
from devstack.postgres import Postgres
from devstack.processes import Child, running, running_together
from devstack.services import tandem
from devstack.waiting import until
from tests.system.conftest import People, bus_of, children, new_settings
from tests.system.device import PATIENCE, names
from tests.system.system import System

pytestmark = pytest.mark.long

MISSED = 300
"""Events that a device has missed: more than the gateway reads at once (256)."""


class Mortals:
    """A system whose services can be made to die at a point. Each test leaves it whole."""

    def __init__(self, system: System, jetstream: JetStreamContext, services: list[Child]) -> None:
        self.system = system
        self.people = People(system)
        self._jetstream = jetstream
        self._services = {service.name: service for service in services}

    async def kill(self, name: str) -> Child:
        """End a service at once."""
        await self._services[name].kill()
        return self._services[name]

    async def doom(self, name: str, told: str) -> Child:
        """The service anew, told to die."""
        service = await self.kill(name)
        service.env[VARIABLE] = told
        await service.start()
        del service.env[VARIABLE]
        return service

    async def live_and_die(self, service: Child, told: str) -> None:
        """A service anew, told to die; it may do so before it is ready."""
        service.env[VARIABLE] = told
        await service.spawn()
        del service.env[VARIABLE]
        await self.dead(service)

    async def dead(self, service: Child) -> None:
        """Wait until it has died, at its point: nobody else uses this signal."""
        assert await until(lambda: not service.running, within=PATIENCE)
        assert await service.wait() == -signal.SIGKILL

    async def replace(self, service: Child) -> None:
        """Start it again as soon as it has died."""
        await self.dead(service)
        await service.start()

    async def stored(self, *users: str) -> int:
        """How many events from connection_service there are for these users."""
        info = await self._jetstream.stream_info(EVENTS_STREAM, subjects_filter=source_filter("connection"))
        subjects = info.state.subjects or {}
        return sum(subjects.get(event_subject(user_id(user), "connection"), 0) for user in users)

    async def consumed(self) -> bool:
        """Whether the inbox has acknowledged every event of connection_service."""
        info = await self._jetstream.consumer_info(EVENTS_STREAM, INBOX_CONSUMER)
        return (info.num_pending, info.num_ack_pending) == (0, 0)

    async def unmarked(self, database: str) -> int:
        """How many changes a service believes to be unpublished."""
        return int(await self.system.sql(database, "SELECT count(*) FROM changes WHERE seq IS NULL"))

    async def marked(self, database: str) -> bool:
        """Whether it believes that nothing is."""
        return await self.unmarked(database) == 0

    async def items_of(self, user: str) -> int:
        """How many items somebody has."""
        return int(await self.system.sql("inbox", f"SELECT count(*) FROM inbox_items WHERE recipient_id = '{user}'"))  # noqa: S608


@pytest.fixture(scope="module")
async def mortals(server_dir: Path, postgres: Postgres, templates: dict[str, str]) -> AsyncIterator[Mortals]:
    """A system of its own but for PostgreSQL, which nobody kills here."""
    settings = new_settings(server_dir)
    server = bus_of(settings)
    async with running(server), databases(postgres, templates):
        processes = children(tandem(settings), settings, postgres, server)
        async with running_together(processes), System.at(settings) as system:
            assert system.postgres.data_dir == postgres.data_dir
            client = await nats.connect(server.url, nkeys_seed=str(server.seed_file("admin")))
            yield Mortals(system, client.jetstream(), processes)
            await client.close()


@contextlib.asynccontextmanager
async def databases(postgres: Postgres, templates: dict[str, str]) -> AsyncIterator[None]:
    """The two databases, migrated and empty, while the block runs."""
    admin = await asyncpg.connect(host=str(postgres.socket_dir), user="postgres", database="postgres")
    try:
        for name, template in templates.items():
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield
        for name in templates:
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


async def test_a_write_whose_writer_dies_after_its_commit_is_told_of(mortals: Mortals) -> None:
    """Nobody was answered and the relay was not woken; the write is there, and so is its event."""
    system, bob = mortals.system, mortals.people.someone("bob")
    async with system.device(bob) as his, system.device(mortals.people.someone("eve")) as strangers:
        inbox = await mortals.doom("inbox", Point.COMMITTED)
        with pytest.raises(TransportError):
            await system.item(bob, "committed")
        await mortals.replace(inbox)
        await his.event("inbox:unread", unread_count=1)
        of_bob, of_stranger = await system.heard(his, strangers)
        assert names(of_bob).count("inbox:created") == 1
        assert of_stranger == []


@pytest.mark.parametrize(("point", "stored"), [(Point.PUBLISHED, {1, 2}), (Point.ACKED, {2})])
async def test_what_was_stored_and_not_marked_is_stored_once(mortals: Mortals, point: Point, stored: set[int]) -> None:
    """An answer is two messages under way at once; when the first is acknowledged, the second may be stored or not."""
    system = mortals.system
    alice, bob = await mortals.people.partners()
    async with system.device(bob) as his, system.device(mortals.people.someone("eve")) as strangers:
        assert await until(lambda: mortals.marked("connection"), within=PATIENCE)  # that they are partners, too
        before = await mortals.stored(alice, bob)
        connection = await mortals.doom("connection", point)
        with contextlib.suppress(TransportError):  # its response may have been faster
            await system.answer(alice)
        await mortals.dead(connection)
        assert await mortals.stored(alice, bob) - before in stored
        assert await mortals.unmarked("connection") == 1
        await mortals.replace(connection)
        await his.event("connection_answer:created")
        await his.event("inbox:unread", unread_count=1)
        of_bob, of_stranger = await system.heard(his, strangers)
        assert names(of_bob).count("connection_answer:created") == names(of_bob).count("inbox:created") == 1
        assert of_stranger == []
        assert await until(lambda: mortals.marked("connection"), within=PATIENCE)
        assert await mortals.stored(alice, bob) - before == 2


async def test_what_was_done_and_not_acknowledged_changes_nothing_when_it_comes_again(mortals: Mortals) -> None:
    """The answer is an item already when the consumer dies; its message comes again, to the next one."""
    system = mortals.system
    alice, bob = await mortals.people.partners()
    async with system.device(bob) as his, system.device(mortals.people.someone("eve")) as strangers:
        assert await until(mortals.consumed, within=PATIENCE)  # that they are partners, too
        inbox = await mortals.kill("inbox")
        await system.answer(alice)
        assert await until(lambda: mortals.marked("connection"), within=PATIENCE)
        async with asyncio.timeout(2 * PATIENCE):
            while await mortals.items_of(bob) == 0:  # the author's copy came alone, and makes no item
                await mortals.live_and_die(inbox, Point.CONSUMED)
        assert not await mortals.consumed()
        assert await mortals.items_of(bob) == 1
        await mortals.replace(inbox)
        assert await until(mortals.consumed, within=PATIENCE)
        assert await mortals.items_of(bob) == 1
        of_bob, of_stranger = await system.heard(his, strangers)
        assert names(of_bob).count("inbox:created") == 1
        assert of_stranger == []


async def test_a_client_that_was_greeted_and_sent_nothing_resumes_from_where_it_was(mortals: Mortals) -> None:
    """It has its `hello`, and with it no new position."""
    system, bob = mortals.system, mortals.people.someone("bob")
    async with system.device(bob) as before:
        pass
    await system.item(bob, "missed")
    assert await until(lambda: mortals.marked("inbox"), within=PATIENCE)
    push = await mortals.doom("push", Point.GREETED)
    async with system.device(bob, **before.cursor) as his:
        await mortals.replace(push)
    assert (his.hello["data"]["resumed"], his.events) == (True, [])
    async with system.device(bob, **his.cursor) as his, system.device(mortals.people.someone("eve")) as strangers:
        of_bob, of_stranger = await system.heard(his, strangers)
        assert names(of_bob) == ["inbox:created", "inbox:unread"]
        assert of_stranger == []


async def test_a_client_that_was_sent_a_part_is_sent_the_rest(mortals: Mortals) -> None:
    """In order, and nothing twice."""
    system, bob = mortals.system, mortals.people.someone("bob")
    async with system.device(bob) as before:
        pass
    await system.sql(
        "inbox",
        "INSERT INTO inbox_items (recipient_id, kind, title)"  # noqa: S608
        f" SELECT '{bob}', 'notice', number FROM generate_series(1, {MISSED}) AS number",
    )
    assert await until(lambda: mortals.marked("inbox"), within=PATIENCE)
    push = await mortals.doom("push", f"{Point.REPLAYING}:{MISSED - 10}")
    async with system.device(bob, **before.cursor) as first:
        await mortals.replace(push)
    assert 0 < len(first.events) < MISSED
    async with system.device(bob, **first.cursor) as second:
        (rest,) = await system.heard(second)
    titles = [event["data"]["title"] for event in first.events + rest if event["event"] == "inbox:created"]
    assert titles == [str(number) for number in range(1, MISSED + 1)]
