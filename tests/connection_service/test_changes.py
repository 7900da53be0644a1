"""What a captured row means: which events, addressed to whom. The rows are written by SQL into the real database."""

import datetime as dt
import json
import uuid
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import pytest

from chassis.changes import Meaning, unpublished
from chassis.database import Database
from chassis.publisher import Message
from connection_service.changes import INTERPRETER
from contracts.cloudevents import read_event
from contracts.events import ConnectionAnswerCreated, Contract, Partnership, PartnershipEnded
from contracts.subjects import addressee

Sql = Callable[..., Awaitable[list[asyncpg.Record]]]
Interpreted = Callable[[], Awaitable[Sequence[Meaning]]]
Ask = Callable[..., Awaitable[str]]

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)

INSERT = "INSERT INTO connection_answers (connection_id, author_id, text) VALUES ($1::text::uuid, $2, $3)"


@pytest.fixture
def interpreted(database: Database) -> Interpreted:
    """What all the changes so far mean."""

    async def all_of_them() -> Sequence[Meaning]:
        async with database.engine.connect() as connection:
            return INTERPRETER.interpret(await unpublished(connection, INTERPRETER.context, limit=500))

    return all_of_them


@pytest.fixture
def pair(sql: Sql) -> Ask:
    """`await pair("alice", "bob")` is the id of a new partnership of theirs."""

    async def paired(*members: str) -> str:
        made = await sql(
            "WITH made AS (INSERT INTO partnerships (time_zone, created_at) VALUES ('Asia/Tokyo', $1) RETURNING id),"
            " joined AS (INSERT INTO members SELECT id, unnest($2::text[]) FROM made)"
            " SELECT id FROM made",
            NOON,
            members,
        )
        return str(made[0]["id"])

    return paired


@pytest.fixture
def ask(sql: Sql) -> Ask:
    """`await ask("alice", "bob")` is the id of a daily connection of theirs. That they were partners is told."""

    async def asked(*members: str) -> str:
        pair = (await sql("INSERT INTO partnerships (time_zone, created_at) VALUES ('UTC', now()) RETURNING id"))[0]
        for member in members:
            await sql("INSERT INTO members VALUES ($1, $2, now())", pair["id"], member)
        await sql("DELETE FROM changes WHERE table_name = 'members'")
        day = "INSERT INTO daily_connections (partnership_id, date, question_id, question) VALUES ($1, now(), 'q', $2)"
        return str((await sql(f"{day} RETURNING id", pair["id"], f"What, {' and '.join(members)}?"))[0]["id"])

    return asked


def data_of(message: Message) -> ConnectionAnswerCreated:
    data = read_event(message.headers, message.body).data()
    assert isinstance(data, ConnectionAnswerCreated)
    return data


async def test_an_answer_is_one_event_to_each_of_the_two_partners(sql: Sql, ask: Ask, interpreted: Interpreted) -> None:
    """With the answer, the question and the answers given so far; to nobody else."""
    await ask("carol", "dave")
    connection = await ask("alice", "bob")
    await sql(INSERT, connection, "alice", 'The sea, and "you" 🌊')
    [meaning] = await interpreted()
    assert meaning.error is None
    assert [message.subject for message in meaning.messages] == [
        "events.alice.connection",
        "events.bob.connection",
    ]
    for message in meaning.messages:
        event = read_event(message.headers, message.body)
        assert (event.type, event.id, event.time) == ("connection_answer:created", message.id, meaning.change.at)
        assert addressee(message.subject) == (event.user, "connection")
        data = data_of(message)
        assert (data.answer.author_id, data.answer.text) == ("alice", 'The sea, and "you" 🌊')
        assert data.connection.question == "What, alice and bob?"
        assert data.connection.answers == (data.answer,)
        assert str(data.answer.connection_id) == str(data.connection.id) == connection


async def test_the_second_answer_comes_with_the_first(sql: Sql, ask: Ask, interpreted: Interpreted) -> None:
    """In the order in which they were given, so that a client needs to ask for nothing."""
    connection = await ask("alice", "bob")
    await sql(INSERT, connection, "bob", "first")
    await sql(INSERT, connection, "alice", "second")
    second = (await interpreted())[1].messages[0]
    assert data_of(second).answer.text == "second"
    assert [answer.text for answer in data_of(second).connection.answers] == ["first", "second"]


async def test_answers_of_many_pairs_in_one_statement_do_not_mix(sql: Sql, ask: Ask, interpreted: Interpreted) -> None:
    """A bulk insert is captured row by row, and each row goes to its own two."""
    connections = {await ask(f"one{number}", f"other{number}"): number for number in range(5)}
    await sql(
        "INSERT INTO connection_answers (connection_id, author_id, text)"
        " SELECT id, 'one' || n - 1, 'answer ' || n - 1 FROM unnest($1::text[]::uuid[]) WITH ORDINALITY AS t (id, n)",
        list(connections),
    )
    meanings = await interpreted()
    assert len(meanings) == 5
    for meaning in meanings:
        number = connections[meaning.change.row["connection_id"]]
        users = {addressee(message.subject)[0] for message in meaning.messages}
        assert users == {f"one{number}", f"other{number}"}
        assert {data_of(message).answer.text for message in meaning.messages} == {f"answer {number}"}


async def test_every_event_has_an_id_of_its_own_and_keeps_it(sql: Sql, ask: Ask, interpreted: Interpreted) -> None:
    """A relay that died is followed by one that makes the very same events, which the stream recognises."""
    for members in (("alice", "bob"), ("carol", "dave")):
        connection = await ask(*members)
        for member in members:
            await sql(INSERT, connection, member, "x")
    once, again = await interpreted(), await interpreted()
    assert once == again
    ids = [message.id for meaning in once for message in meaning.messages]
    assert len(ids) == len(set(ids)) == 8
    assert all(message.headers["Nats-Msg-Id"] == message.id for meaning in once for message in meaning.messages)


async def test_an_answer_that_was_rolled_back_means_nothing(
    connection_url: str, ask: Ask, interpreted: Interpreted
) -> None:
    """It is captured in the transaction that wrote it."""
    connection = await ask("alice", "bob")
    writer = await asyncpg.connect(connection_url.replace("+asyncpg", ""))
    transaction = writer.transaction()
    await transaction.start()
    await writer.execute(INSERT, connection, "alice", "x")
    await transaction.rollback()
    await writer.close()
    assert await interpreted() == []


async def test_a_correction_by_hand_has_no_event(sql: Sql, ask: Ask, interpreted: Interpreted) -> None:
    """There is none for an answer that is changed or deleted; it is no error either."""
    await sql(INSERT, await ask("alice", "bob"), "alice", "x")
    await sql("UPDATE connection_answers SET text = 'corrected'")
    await sql("DELETE FROM connection_answers")
    assert [(len(meaning.messages), meaning.error) for meaning in await interpreted()] == [
        (2, None),
        (0, None),
        (0, None),
    ]


async def test_a_change_that_cannot_be_mapped_gets_its_error_and_the_others_their_events(
    sql: Sql, ask: Ask, interpreted: Interpreted
) -> None:
    """One unreadable row stops nothing behind it."""
    connection = await ask("alice", "bob")
    await sql(INSERT, connection, "alice", "x")
    await sql(INSERT, connection, "bob", "y")
    await sql("UPDATE changes SET row = row - 'text' WHERE id = (SELECT min(id) FROM changes)")
    broken, whole = await interpreted()
    assert broken.error is not None
    assert "text" in broken.error
    assert broken.messages == ()
    assert (len(whole.messages), whole.error) == (2, None)


async def test_an_answer_of_4000_characters_fits_into_a_message(sql: Sql, ask: Ask, interpreted: Interpreted) -> None:
    """With both answers in it, in the widest script, it is far below the megabyte that NATS takes."""
    connection = await ask("alice", "bob")
    for author in ("alice", "bob"):
        await sql(INSERT, connection, author, "🌊" * 4_000)
    sizes = [message.size for meaning in await interpreted() for message in meaning.messages]
    assert max(sizes) < 64 * 1024
    body = (await interpreted())[0].messages[0].body
    assert json.loads(body)["answer"]["text"] == "🌊" * 4_000


def told(meanings: Sequence[Meaning]) -> list[tuple[str, str, Contract]]:
    """Whom the changes are told to, as what, and with which data; each in a message of its own, as it should be."""
    events: list[tuple[str, str, Contract]] = []
    for meaning in meanings:
        assert meaning.error is None
        for message in meaning.messages:
            event = read_event(message.headers, message.body)
            assert addressee(message.subject) == (event.user, "connection")
            assert (event.id, event.time) == (message.id, meaning.change.at)
            events.append((event.user, event.type, event.data()))
    return events


async def test_a_partnership_that_begins_is_one_event_to_each_of_the_two(
    sql: Sql, pair: Ask, interpreted: Interpreted
) -> None:
    """With both members and their time zone, as the API has it; other pairs of the same batch do not mix in."""
    first, second = await pair("bob", "alice"), await pair("carol", "dave")
    of_first, of_second = (
        Partnership(id=uuid.UUID(each), members=members, time_zone="Asia/Tokyo", created_at=NOON)
        for each, members in ((first, ("alice", "bob")), (second, ("carol", "dave")))
    )
    assert sorted(told(await interpreted()), key=lambda event: event[0]) == [
        ("alice", "connection_partnership:created", of_first),
        ("bob", "connection_partnership:created", of_first),
        ("carol", "connection_partnership:created", of_second),
        ("dave", "connection_partnership:created", of_second),
    ]
    ids = [message.id for meaning in await interpreted() for message in meaning.messages]
    assert len(set(ids)) == 4


@pytest.mark.parametrize("end", ["UPDATE members SET left_at = now()", "DELETE FROM members"])
async def test_a_partnership_that_ends_is_one_event_to_each_of_the_two(
    sql: Sql, pair: Ask, interpreted: Interpreted, end: str
) -> None:
    """However it was ended, and whoever else ends theirs."""
    of = {user: uuid.UUID(await pair(user, f"{user}-s-partner")) for user in ("alice", "bob")}
    await sql("DELETE FROM changes")
    await sql(end)
    assert sorted(told(await interpreted()), key=lambda event: event[0]) == [
        ("alice", "connection_partnership:ended", PartnershipEnded(id=of["alice"])),
        ("alice-s-partner", "connection_partnership:ended", PartnershipEnded(id=of["alice"])),
        ("bob", "connection_partnership:ended", PartnershipEnded(id=of["bob"])),
        ("bob-s-partner", "connection_partnership:ended", PartnershipEnded(id=of["bob"])),
    ]


async def test_a_partnership_that_is_removed_before_it_was_told_of_is_told_to_be_over(
    sql: Sql, pair: Ask, interpreted: Interpreted
) -> None:
    """That there was one cannot be told any more, and is no error; of one that has only ended its beginning is told."""
    await pair("alice", "bob")
    await sql("UPDATE members SET left_at = now()")
    assert [name.split(":")[1] for _, name, _ in told(await interpreted())] == ["created", "created", "ended", "ended"]
    await sql("UPDATE members SET left_at = NULL")
    await sql("DELETE FROM changes WHERE op = 'update' AND row ->> 'left_at' IS NOT NULL")
    await sql("DELETE FROM members")
    assert [name.split(":")[1] for _, name, _ in told(await interpreted())] == ["ended", "ended"]


async def test_what_changes_nothing_for_a_member_is_not_told(sql: Sql, pair: Ask, interpreted: Interpreted) -> None:
    """Somebody who has left is removed from the records, or entered into them."""
    partnership = await pair("alice", "bob")
    await sql("UPDATE members SET left_at = now()")
    await sql("DELETE FROM changes")
    await sql("DELETE FROM members WHERE user_id = 'alice'")
    await sql("INSERT INTO members VALUES ($1::text::uuid, 'carol', now())", partnership)
    assert told(await interpreted()) == []
