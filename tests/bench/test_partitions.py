"""The partitions that docs/SCALING.md proposes do what it says of them, on a real nats-server with its very mapping."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from nats.js.api import RePublish, StreamConfig

from chassis.bus import Bus
from contracts.subjects import event_subject, push_filter, user_id
from devstack.nats import Nats
from devstack.ports import free_port
from devstack.processes import running
from tests.conftest import running_bus

PAGE: Final = (Path(__file__).parents[2] / "docs" / "SCALING.md").read_text()

ALICE, BOB = user_id("alice"), user_id("bob")


def said(pattern: str) -> tuple[str, ...]:
    """What the page says."""
    found = re.search(pattern, PAGE)
    assert found is not None, f"the page says nothing like {pattern}"
    return found.groups()


def partition(user: str, partitions: int) -> int:
    """FNV-1a of 32 bits, as the page says that it would stand in `contracts/subjects.py`."""
    value = 0x811C9DC5
    for byte in user.encode():
        value = (value ^ byte) * 0x01000193 % 2**32
    return value % partitions


class Mapped(Nats):
    """A server with the mapping of the page."""

    def configuration(self) -> dict[str, object]:
        source, destination = said(r'mappings = \{ "(.+)": "(.+)" \}')
        return super().configuration() | {"mappings": {source: destination}}


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """A bus whose stream holds all partitions and republishes as the page says."""
    source, destination = said(r"republish of\s+`(\S+)` to `(\S+)`")
    shard = StreamConfig("EVENTS-0", subjects=["events.*.*.*"], republish=RePublish(source, destination))
    async with running(Mapped(tmp_path / "nats", free_port())) as server, running_bus(server) as connected:
        await connected.jetstream.add_stream(shard)
        yield connected


async def test_a_user_hears_where_they_did_before_and_nobody_else_does(bus: Bus) -> None:
    """Publishers and subscribers that know of no partition go on as they are."""
    alices, bobs = [await bus.client.subscribe(push_filter(user)) for user in (ALICE, BOB)]
    ack = await bus.jetstream.publish(event_subject(ALICE, "inbox"), b"{}")
    heard = await alices.next_msg(timeout=10)
    assert heard.headers is not None
    assert (heard.subject, heard.headers["Nats-Sequence"]) == ("push.alice.inbox", str(ack.seq))
    await bus.client.flush()
    assert bobs.pending_msgs == 0


async def test_the_code_can_know_the_partition_that_nats_finds(bus: Bus) -> None:
    """So a relay may name it itself, and a gateway knows which stream to ask."""
    (partitions,) = said(r"with ([\d,]+) partitions")
    for number in range(20):
        user = user_id(f"user{number}")
        ack = await bus.jetstream.publish(event_subject(user, "inbox"), b"{}")
        stored = await bus.jetstream.get_msg("EVENTS-0", ack.seq)
        assert stored.subject == f"events.{partition(user, int(partitions.replace(',', '')))}.{user}.inbox"
