"""When a device of the fault matrix counts as having begun anew, and what it comes back with where it should."""

import random
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from bench.faults.cursors import FORGERIES, fetched
from bench.faults.device import Device
from bench.faults.run import Fetched, Received, Record, UserState
from push_gateway.handshake import cursor_of


async def nothing(_: str) -> UserState:
    return UserState()


def device(*records: Record) -> Device:
    made = Device("hers", "alice", "token", ["ws://127.0.0.1:1/"], nothing, random.Random(1))
    made.records += records
    return made


def hello(*, resumed: bool) -> Received:
    data: dict[str, Any] = {"user_id": "alice", "epoch": "one", "resumed": resumed, "heartbeat": 25}
    return Received(100.0, 1, {"event": "hello", "seq": 7, "data": data})


HEARTBEAT = Received(101.0, 1, {"event": "heartbeat", "seq": 7, "whole": 7})
STATE = Fetched(1, 101.0, 101.0, UserState())


def test_a_device_has_begun_anew_when_it_was_told_to_fetch_its_state_and_has_it() -> None:
    """Whatever comes in between."""
    assert fetched(device(hello(resumed=False), HEARTBEAT, STATE), 0)
    assert not fetched(device(hello(resumed=False), HEARTBEAT), 0)


def test_what_happened_before_it_went_away_does_not_count() -> None:
    """Nor does a fetch that ends only now."""
    assert not fetched(device(hello(resumed=False), STATE), 2)
    assert not fetched(device(hello(resumed=False), STATE, hello(resumed=False)), 1)


def test_a_device_that_was_let_resume_has_not_begun_anew() -> None:
    """Also if it is told to do so afterwards."""
    assert not fetched(device(hello(resumed=True), STATE), 0)
    assert not fetched(device(hello(resumed=True), hello(resumed=False), STATE), 0)


@pytest.mark.parametrize("forge", FORGERIES)
def test_no_forged_cursor_says_where_a_device_stands(forge: Any) -> None:
    """The gateway reads another history, a place that it has not come to yet, or nothing."""
    query = forge({"epoch": "one", "since": 42, "connection": 40, "inbox": 42})
    cursor = cursor_of(Request(f"/v1/push?{urlencode(query)}", Headers()))
    assert cursor is None or cursor.epoch != "one" or max(cursor.since, *cursor.positions.values()) > 10**9
