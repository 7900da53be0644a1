"""Writes that no service makes: typed into psql, or made by the ORM in bulk. Each reaches the browser all the same."""

# ruff: noqa: S608 - statements with values in them are what somebody types

from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from inbox_service.models import InboxItem
from tests.system.conftest import ROOT, People, as_environment
from tests.system.device import names
from tests.system.system import System, run


def insert_item(recipient: str, title: str) -> str:
    """The statement of somebody who puts an item into an inbox by hand."""
    return f"INSERT INTO inbox_items (recipient_id, kind, title) VALUES ('{recipient}', 'notice', '{title}')"


async def test_insert_update_and_delete_typed_into_psql_arrive(system: System, people: People) -> None:
    """Each as the event that a request would have made, and for their owner alone."""
    bob = people.someone("bob")
    async with system.device(bob) as device, system.device(people.someone("eve")) as stranger:
        item = (await system.sql("inbox", f"{insert_item(bob, 'by hand')} RETURNING id")).splitlines()[0]
        created = await device.event("inbox:created", id=item)
        assert (created["data"]["title"], created["data"]["is_read"]) == ("by hand", False)
        await device.event("inbox:unread", unread_count=1)
        await system.sql("inbox", f"UPDATE inbox_items SET is_read = true WHERE id = '{item}'")
        updated = await device.event("inbox:updated", id=item)
        assert updated["data"]["read_at"] is not None
        await device.event("inbox:unread", unread_count=0)
        await system.sql("inbox", f"DELETE FROM inbox_items WHERE id = '{item}'")
        assert (await device.event("inbox:deleted"))["data"] == {"id": item}
        of_bob, of_stranger = await system.heard(device, stranger)
        assert names(of_bob)[::2] == ["inbox:created", "inbox:updated", "inbox:deleted"]
        assert of_stranger == []


async def test_sql_on_the_standard_input_of_make_psql_arrives(system: System, people: People) -> None:
    """`make psql DB=inbox`, to the letter."""
    bob = people.someone("bob")
    # That what is installed is up to date is none of this test's business.
    make = ("make", "--silent", "--directory", str(ROOT), "--old-file", ".venv/.installed", "psql", "DB=inbox")
    async with system.device(bob) as device:
        await run(
            *make,
            typed=f"{insert_item(bob, 'one')};\n{insert_item(bob, 'two')};\n",
            environment=as_environment(system.settings),
        )
        await device.event("inbox:created", title="one")
        await device.event("inbox:created", title="two")


async def test_a_transaction_typed_into_psql_arrives_when_it_is_committed_and_not_when_it_is_rolled_back(
    system: System, people: People
) -> None:
    """What never was, nobody is told."""
    bob = people.someone("bob")
    async with system.device(bob) as device:
        await system.sql(
            "inbox", f"BEGIN; {insert_item(bob, 'never')}; ROLLBACK; BEGIN; {insert_item(bob, 'yes')}; COMMIT"
        )
        await device.event("inbox:unread")
        [heard] = await system.heard(device)
        assert names(heard) == ["inbox:created", "inbox:unread"]
        assert heard[0]["data"]["title"] == "yes"
        await system.sql(
            "inbox", f"BEGIN; UPDATE inbox_items SET is_read = true WHERE recipient_id = '{bob}'; ROLLBACK"
        )
        assert await system.heard(device) == [[]]


async def test_an_answer_typed_into_psql_reaches_both_partners_and_makes_the_item(
    system: System, people: People
) -> None:
    """The whole way, without connection_service's API."""
    alice, bob = await people.partners()
    today = await system.get(f"{system.connection}/daily-connections/today", alice)
    async with system.device(alice) as hers, system.device(bob) as his:
        await system.sql(
            "connection",
            "INSERT INTO connection_answers (connection_id, author_id, text)"
            f" VALUES ('{today['id']}', '{alice}', 'by hand')",
        )
        for device in (hers, his):
            assert (await device.event("connection_answer:created"))["data"]["answer"]["text"] == "by hand"
        assert (await his.event("inbox:created"))["data"]["body"] == "by hand"


async def test_bulk_writes_of_the_orm_arrive_one_event_an_item(system: System, people: People) -> None:
    """The writes that ORM signals do not see: that they arrive is why the database captures."""
    bob, carol = people.someone("bob"), people.someone("carol")
    engine = create_async_engine(system.postgres.url("inbox"))
    rows = [
        {"recipient_id": user, "kind": "notice", "title": f"{number}", "body": "", "data": {}}
        for user in (bob, carol)
        for number in range(3)
    ]
    try:
        async with system.device(bob) as his, system.device(carol) as hers, AsyncSession(engine) as session:
            await session.execute(insert(InboxItem), rows)
            await session.commit()
            for device in (his, hers):
                await device.event("inbox:unread", unread_count=3)
            await system.heard(his, hers)
            await session.execute(update(InboxItem).where(InboxItem.recipient_id == bob).values(is_read=True))
            await session.commit()
            await his.event("inbox:unread", unread_count=0)
            of_bob, of_carol = await system.heard(his, hers)
            assert names(of_bob) == ["inbox:updated"] * 3 + ["inbox:unread"]
            assert {event["data"]["title"] for event in of_bob[:3]} == {"0", "1", "2"}
            assert of_carol == []
            await session.execute(delete(InboxItem).where(InboxItem.recipient_id == carol))
            await session.rollback()
            assert await system.heard(his, hers) == [[], []]
    finally:
        await engine.dispose()
