"""Many people at once: everybody gets what is theirs, and nothing else."""

import asyncio
import contextlib
import uuid

import asyncpg

from devstack.waiting import until
from tests.system.conftest import People
from tests.system.device import PATIENCE, Device, Frame
from tests.system.system import System

PAIRS = 200

Pair = tuple[str, str]


async def partnerships(system: System, pairs: dict[uuid.UUID, Pair]) -> None:
    """Make all pairs partners, each with today's question, by one statement a table: the API would take a while."""
    partnerships = {connection: uuid.uuid4() for connection in pairs}
    members = [(partnerships[connection], user) for connection, pair in pairs.items() for user in pair]
    database = await asyncpg.connect(system.postgres.url("connection").replace("+asyncpg", ""))
    await database.execute(
        "INSERT INTO partnerships (id, time_zone, created_at) SELECT unnest($1::uuid[]), 'UTC', now()",
        list(partnerships.values()),
    )
    await database.execute(
        "INSERT INTO members (partnership_id, user_id) SELECT * FROM unnest($1::uuid[], $2::text[])",
        [partnership for partnership, _ in members],
        [user for _, user in members],
    )
    await database.execute(
        "INSERT INTO daily_connections (id, partnership_id, date, question_id, question)"
        " SELECT *, current_date, 'q', 'What do you hear?' FROM unnest($1::uuid[], $2::uuid[])",
        list(partnerships),
        list(partnerships.values()),
    )

    async def told() -> bool:
        return not await database.fetchval("SELECT EXISTS (SELECT FROM changes WHERE seq IS NULL)")

    assert await until(told, within=PATIENCE), "that they are partners"
    await database.close()


def expected(user: str, pair: Pair) -> list[tuple[str, str]]:
    """What a user gets of the answer of the first of a pair: names, and by what each is known to be theirs."""
    created = [("connection_answer:created", pair[0])]
    return created if user == pair[0] else [*created, ("inbox:created", f"from {pair[0]}"), ("inbox:unread", "1")]


def told(frame: Frame) -> tuple[str, str]:
    """An event's name, and whose it is."""
    data = frame["data"]
    match frame["event"]:
        case "connection_answer:created":
            return frame["event"], data["answer"]["author_id"]
        case "inbox:created":
            return frame["event"], data["body"]
    return frame["event"], str(data["unread_count"])


async def test_200_answers_at_once_reach_400_users_each_with_exactly_their_own_in_order(
    system: System, people: People
) -> None:
    """A socket for each of them; that sequence numbers rise and no event comes twice, a device checks itself."""
    pairs = {uuid.uuid4(): (people.someone("a"), people.someone("b")) for _ in range(PAIRS)}
    await partnerships(system, pairs)
    async with contextlib.AsyncExitStack() as stack:
        devices: dict[str, Device] = {}
        for pair in pairs.values():
            for user in pair:
                devices[user] = await stack.enter_async_context(system.device(user))

        async def answer(connection: uuid.UUID, author: str) -> None:
            url = f"{system.connection}/daily-connections/{connection}/answers"
            await system.insist("POST", url, author, body={"text": f"from {author}"})

        await asyncio.gather(*(answer(connection, author) for connection, (author, _) in pairs.items()))
        for author, partner in pairs.values():
            await devices[author].event("connection_answer:created")
            await devices[partner].event("connection_answer:created")
            await devices[partner].event("inbox:unread")
        heard = dict(zip(devices, await system.heard(*devices.values()), strict=True))
        for pair in pairs.values():
            for user in pair:
                assert [told(frame) for frame in heard[user]] == expected(user, pair)
