"""Owns one example of every event's data, as the JSON that stands on the bus."""

from typing import Any

import pytest

ANSWER = {
    "id": "0198c5a2-6d7e-7c31-9d0a-3f1b2c4d5e6f",
    "connection_id": "0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f",
    "author_id": "alice",
    "text": 'The sea, and "you" \\ 🌊',
    "created_at": "2026-03-01T21:30:00.250000Z",
}
CONNECTION = {
    "id": "0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f",
    "partnership_id": "0198c5a1-0000-7c31-9d0a-3f1b2c4d5e6f",
    "date": "2026-03-01",
    "question": "What made you smile today?",
    "answers": [ANSWER],
}
ITEM = {
    "id": "0198c5a3-0000-7c31-9d0a-3f1b2c4d5e6f",
    "recipient_id": "bob",
    "sender_id": "alice",
    "kind": "connection_answer",
    "title": "alice answered",
    "body": "The sea",
    "data": {"connection_id": "0198c5a2-0000-7c31-9d0a-3f1b2c4d5e6f"},
    "is_read": True,
    "read_at": "2026-03-01T21:31:00Z",
    "created_at": "2026-03-01T21:30:01Z",
    "updated_at": "2026-03-01T21:31:00Z",
}


PARTNERSHIP = {
    "id": "0198c5a1-0000-7c31-9d0a-3f1b2c4d5e6f",
    "members": ["alice", "bob"],
    "time_zone": "Europe/Vienna",
    "created_at": "2026-02-14T08:00:00Z",
}


@pytest.fixture(scope="session")
def examples() -> dict[str, dict[str, Any]]:
    """Data by event name."""
    return {
        "connection_answer:created": {"answer": ANSWER, "connection": CONNECTION},
        "connection_partnership:created": PARTNERSHIP,
        "connection_partnership:ended": {"id": PARTNERSHIP["id"]},
        "inbox:created": ITEM,
        "inbox:updated": ITEM,
        "inbox:deleted": {"id": ITEM["id"]},
        "inbox:unread": {"unread_count": 3},
    }
