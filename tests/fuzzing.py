"""Owns what is fuzzed: everything that reads what somebody else has written, and what must hold whatever that is.

`tests/test_fuzz.py` tries a few hundred inputs each; `make fuzz` tries as many as there is time for.
"""

import asyncio
import contextlib
import datetime as dt
import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from websockets.datastructures import Headers
from websockets.http11 import Request

from chassis.auth import Authenticator, issue_token
from chassis.changes import Change, meaning_of
from chassis.errors import BadRequest, InvalidToken
from chassis.paging import cursor_of as page_cursor
from chassis.paging import key_of
from chassis.settings import AuthSettings
from contracts.cloudevents import InvalidEvent, read_event
from contracts.frames import AuthOperation
from contracts.revocations import read_revocation
from contracts.subjects import InvalidUserId, addressee, user_id
from inbox_service.changes import _item_messages
from push_gateway.address import address_of
from push_gateway.errors import Refusal
from push_gateway.handshake import check_origin, cursor_of, token_of
from push_gateway.messages import Malformed, live_event
from tests.push_gateway.raw_client import text_of

SECONDS = 180.0
"""For which `make fuzz` runs, unless FUZZ_SECONDS says otherwise."""

AT_ONCE = 200
"""Inputs of one target before the next one has its turn."""

AUTH = AuthSettings(secret="a secret for tests, of 32 characters and more")
AUTHENTICATOR = Authenticator.of(AUTH)
GOOD = issue_token(AUTH, "alice", ttl=24 * 3600)
PROXIES = (ip_network("10.0.0.0/8"),)
NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)

latin = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80)
"""What `websockets` lets pass in a header."""

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def bent(good: str) -> st.SearchStrategy[str]:
    """A good text with a part of it replaced, or any other one."""
    places = st.tuples(st.integers(0, len(good)), st.integers(0, 8), st.text(max_size=8))
    return places.map(lambda cut: good[: cut[0]] + cut[2] + good[cut[0] + cut[1] :]) | st.text(max_size=80)


@dataclass(frozen=True)
class Target:
    """Inputs, and what must hold for each; whatever `check` raises is a finding."""

    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], None]


def handshake(given: tuple[str, list[tuple[str, str]], str]) -> None:
    """It is refused for a reason that the client can be told, or read."""
    path, headers, peer = given
    request = Request(path, Headers(headers))
    address_of(request, peer, PROXIES)
    with contextlib.suppress(Refusal):
        check_origin(request, ["https://tandem.example"])
    with contextlib.suppress(Refusal):
        token_of(request)


def resume_cursor(query: str) -> None:
    """It is read, or it is none: then the client fetches its state."""
    try:
        cursor = cursor_of(Request(f"/v1/push?{query}", Headers()))
    except ValueError:
        return  # a URL that cannot be split; such a request is at no path of ours
    assert cursor is None or (cursor.epoch and cursor.since >= 0 and cursor.whole >= 0)


def token(text: str) -> None:
    """It is refused, or it is the good one."""
    try:
        claims = asyncio.run(AUTHENTICATOR.check(text))
    except InvalidToken:
        return
    assert claims.subject == "alice"


def client_frame(message: str) -> None:
    """It is an operation with a token, or it is refused."""
    try:
        operation = AuthOperation.model_validate_json(message)
    except ValidationError:
        return
    assert operation.op == "auth"
    assert operation.token


def list_cursor(text: str) -> None:
    """It is a key of the right length, or it is 400."""
    try:
        key = key_of(text, 2)
    except BadRequest:
        return
    assert key is not None
    assert len(key) == 2


def live_message(given: tuple[bytes, bytes, bytes]) -> None:
    """It makes a frame that is JSON of one line, or none."""
    try:
        event = live_event(*given)
    except Malformed:
        return
    if event.frame:
        frame = json.loads(text_of(event.frame))
        assert frame["seq"] == event.seq


def bus_event(given: tuple[dict[str, str], bytes]) -> None:
    """What a consumer reads is an event of a user that there may be, or it is invalid."""
    try:
        event = read_event(*given)
    except InvalidEvent:
        return
    assert user_id(event.user) == event.user


def revocation(given: tuple[str, bytes]) -> None:
    """It is read, or refused with a ValueError."""
    try:
        user, before = read_revocation(*given)
    except ValueError:
        return
    assert user_id(user) == user
    assert before >= 0


def captured_row(given: tuple[str, dict[str, Any]]) -> None:
    """It means messages for its recipient and nobody else, without a line end in a header; or it is kept as dead."""
    op, row = given
    change = Change(1, uuid.UUID(int=1), "inbox_items", op, row, NOW, again=False, traceparent=None, context=None)
    meaning = meaning_of(change, _item_messages)
    assert meaning.error or meaning.messages
    for message in meaning.messages:
        assert addressee(message.subject) == (row["recipient_id"], "inbox")
        assert not any(end in value for value in message.headers.values() for end in "\r\n")
        json.loads(message.body)


def subject_part(text: object) -> None:
    """It is one token of a subject, or it is refused."""
    try:
        user = user_id(text)
    except InvalidUserId:
        return
    assert user.isascii()
    assert not set(user) & set(".*> \r\n\t\0")


HEADERS = ("Origin", "Authorization", "Sec-WebSocket-Protocol", "X-Forwarded-For", "Cookie", "X")
EVENT_HEADERS = (
    *("Nats-Msg-Id", "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-subject", "ce-time", "content-type"),
    *("traceparent", "Nats-Sequence", "Nats-Last-Sequence"),
)
EVENT = {
    "Nats-Msg-Id": "e-1", "ce-specversion": "1.0", "ce-id": "e-1", "ce-source": "/inbox", "ce-type": "inbox:unread",
    "ce-subject": "alice", "ce-time": "2026-03-01T00:00:00Z", "content-type": "application/json",
}  # fmt: skip
RAW = "NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in EVENT.items())
LIVE = f"{RAW}Nats-Stream: EVENTS\r\nNats-Sequence: 7\r\nNats-Last-Sequence: 3\r\n\r\n"
ROW: dict[str, Any] = {
    "id": str(uuid.UUID(int=7)), "recipient_id": "alice", "sender_id": None, "kind": "notice", "title": "A notice",
    "body": "", "data": {}, "is_read": False, "read_at": None, "number": 1, "source_event": None,
    "created_at": "2026-03-01T00:00:00+00:00", "updated_at": "2026-03-01T00:00:00+00:00",
}  # fmt: skip
bodies = st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode())

TARGETS = {
    "handshake": Target(
        st.tuples(
            bent("/v1/push?epoch=e&since=7"),
            st.lists(st.tuples(st.sampled_from(HEADERS), latin | st.just(f"tandem.v1, bearer.{GOOD}")), max_size=5),
            bent("10.0.0.7"),
        ),
        handshake,
    ),
    "token": Target(bent(GOOD), token),
    "resume cursor": Target(bent("epoch=e1&since=41&connection=17&inbox=41"), resume_cursor),
    "client frame": Target(bent('{"op":"auth","token":"a.b.c"}') | json_values.map(json.dumps), client_frame),
    "list cursor": Target(bent(page_cursor("2026-03-01T00:00:00+00:00", str(uuid.UUID(int=1)))), list_cursor),
    "live message": Target(
        st.tuples(
            st.sampled_from([b"push.alice.inbox", b"push.alice.elsewhere"]),
            (bent(LIVE) | st.integers(0, len(LIVE)).map(lambda end: LIVE[:end])).map(
                lambda text: text.encode(errors="replace")
            ),
            bodies,
        ),
        live_message,
    ),
    "event on the bus": Target(
        st.tuples(
            st.dictionaries(st.sampled_from(EVENT_HEADERS), latin, max_size=3).map(lambda some: EVENT | some), bodies
        ),
        bus_event,
    ),
    "revocation": Target(
        st.tuples(bent("revoked.alice"), bodies | st.floats().map(lambda at: b'{"before":%a}' % at)), revocation
    ),
    "captured row": Target(
        st.tuples(
            st.sampled_from(["insert", "update", "delete", "truncate"]),
            st.dictionaries(st.sampled_from(sorted(ROW)), json_values, max_size=4).map(lambda some: ROW | some),
        ),
        captured_row,
    ),
    "user id": Target(bent("alice_-09") | json_values, subject_part),
}


def fuzz(name: str, *, examples: int, number: int = 0) -> int:
    """Try some inputs of a target, others for each `number`; returns how many that were."""
    target, tried = TARGETS[name], 0

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False
    )
    @given(target.inputs)
    def tries(value: Any) -> None:
        nonlocal tried
        tried += 1
        target.check(value)

    tries()
    return tried


def main() -> None:
    """Fuzz every target in turn until the time is up."""
    end = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", SECONDS))
    tried = dict.fromkeys(TARGETS, 0)
    number = int.from_bytes(os.urandom(4))
    while time.monotonic() < end:
        for name in TARGETS:
            tried[name] += fuzz(name, examples=AT_ONCE, number=number)
        number += 1
    for name, inputs in tried.items():
        sys.stdout.write(f"{name:20}{inputs:>12,}\n")
    sys.stdout.write(f"{'all':20}{sum(tried.values()):>12,}\n")


if __name__ == "__main__":
    main()
