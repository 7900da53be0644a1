"""Owns asking the databases what was committed, which is what every device must have been told."""

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from bench.faults.run import Expected, ItemState, UserState, item_state
from bench.faults.stack import Stack
from inbox_service.changes import UNREAD_ID

EVENT_OF = {"insert": "inbox:created", "update": "inbox:updated", "delete": "inbox:deleted"}

_INBOX = """
SELECT id, event_id, op, row, extract(epoch FROM at)::float AS at, seq FROM changes
WHERE row ->> 'recipient_id' = ANY($1) ORDER BY id
"""

_ANSWERS = """
SELECT changes.id, event_id, row, extract(epoch FROM at)::float AS at, seq, members.user_id FROM changes
JOIN daily_connections ON daily_connections.id = (row ->> 'connection_id')::uuid
JOIN members USING (partnership_id)
WHERE table_name = 'connection_answers' AND op = 'insert' AND members.user_id = ANY($1) ORDER BY changes.id
"""

_MEMBERS = """
SELECT event_id, row ->> 'user_id' AS user_id FROM changes WHERE table_name = 'members' AND row ->> 'user_id' = ANY($1)
"""

_ITEMS = "SELECT recipient_id, to_jsonb(inbox_items) AS row FROM inbox_items WHERE recipient_id = ANY($1)"

_GIVEN = """
SELECT members.user_id, connection_answers.id FROM connection_answers
JOIN daily_connections ON daily_connections.id = connection_id JOIN members USING (partnership_id)
WHERE members.user_id = ANY($1)
"""

_DEAD = "SELECT id, error FROM dead_changes"


@dataclass(frozen=True, slots=True)
class Truth:
    """What the databases hold about some users.

    Attributes:
        changes: how many changes were captured.
        unpublished: how many of them are not marked as told yet.
        owed: the `(thing, operation)` that must follow from what is there, be it only in a moment.
        captured: what has happened.
        besides: whom each `inbox:unread` that may exist is for, and each event of a partnership, which are as old as
            the users.
    """

    expected: list[Expected]
    changes: int
    unpublished: int
    owed: frozenset[tuple[str, str]]
    captured: frozenset[tuple[str, str]]
    besides: dict[str, str]
    final: dict[str, UserState]


async def truth(stack: Stack, users: Sequence[str]) -> Truth:
    """Ask both databases.

    Raises:
        OSError, asyncpg.PostgresError: they do not answer.
    """
    inbox = await stack.connect("inbox")
    try:
        connection = await stack.connect("connection")
        try:
            return await _truth(inbox, connection, users)
        finally:
            await connection.close()
    finally:
        await inbox.close()


async def _truth(inbox: asyncpg.Connection, connection: asyncpg.Connection, users: Sequence[str]) -> Truth:
    answers = await connection.fetch(_ANSWERS, users)
    given = await connection.fetch(_GIVEN, users)
    items = await inbox.fetch(_ITEMS, users)
    changes = await inbox.fetch(_INBOX, users)
    dead = [*await inbox.fetch(_DEAD), *await connection.fetch(_DEAD)]
    expected: list[Expected] = []
    owed = {(str(row["id"]), f"change that was buried: {row['error']}") for row in dead}
    captured: set[tuple[str, str]] = set()
    besides = {str(row["event_id"]): row["user_id"] for row in await connection.fetch(_MEMBERS, users)}
    for row in answers:
        event_id = str(uuid.uuid5(row["event_id"], row["user_id"]))
        answer = json.loads(row["row"])
        expected.append(
            Expected(
                event_id, row["user_id"], "connection", "connection_answer:created", row["id"], answer["id"], row["at"]
            )
        )
        captured.add((answer["id"], "insert"))
        if row["user_id"] != answer["author_id"]:
            owed.add((event_id, "item from this event"))
    for row in changes:
        item, event_id = json.loads(row["row"]), str(row["event_id"])
        version = item_state(item).updated_at
        name, user = EVENT_OF[row["op"]], item["recipient_id"]
        expected.append(Expected(event_id, user, "inbox", name, row["id"], item["id"], row["at"], version))
        captured.add((item["id"], row["op"]))
        if item["source_event"] is not None:
            captured.add((item["source_event"], "item from this event"))
        besides[str(uuid.uuid5(UNREAD_ID, event_id))] = user
    rows = {row["id"]: row["seq"] for row in answers}
    unpublished = sum(row["seq"] is None for row in changes) + sum(seq is None for seq in rows.values())
    final = _final(users, items, given)
    return Truth(expected, len(changes) + len(rows), unpublished, frozenset(owed), frozenset(captured), besides, final)


def _final(
    users: Sequence[str], items: Sequence[asyncpg.Record], given: Sequence[asyncpg.Record]
) -> dict[str, UserState]:
    by_user: defaultdict[str, dict[str, ItemState]] = defaultdict(dict)
    for row in items:
        item = json.loads(row["row"])
        by_user[row["recipient_id"]][item["id"]] = item_state(item)
    answers: defaultdict[str, set[str]] = defaultdict(set)
    for row in given:
        answers[row["user_id"]].add(str(row["id"]))
    return {
        user: UserState(
            by_user[user], frozenset(answers[user]), sum(not state.is_read for state in by_user[user].values())
        )
        for user in users
    }
