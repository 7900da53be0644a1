"""What stands on the socket, byte for byte, and what the close codes tell a client."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from websockets.frames import Close

from contracts import frames
from contracts.events import EVENT_ID_PATTERN, EVENT_TYPES
from contracts.frames import CLOSE_ADVICE, AuthOperation, CloseCode, EventFrame, HelloFrame, ResyncFrame
from contracts.subjects import user_id

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
event_ids = st.from_regex(EVENT_ID_PATTERN, fullmatch=True)
sequences = st.integers(0, 2**63)


def test_a_hello_frame_says_who_and_from_where() -> None:
    frame = frames.hello(41, user=user_id("alice"), epoch="e", resumed=True, heartbeat=25)
    assert frame == (b'{"event":"hello","seq":41,"data":{"user_id":"alice","epoch":"e","resumed":true,"heartbeat":25}}')


def test_a_heartbeat_frame_carries_the_position_alone() -> None:
    assert frames.heartbeat(42) == b'{"event":"heartbeat","seq":42}'


def test_a_resync_frame_carries_its_reason() -> None:
    assert frames.resync(97, "gap") == b'{"event":"resync","seq":97,"data":{"reason":"gap"}}'


def test_an_event_frame_has_the_body_spliced_in() -> None:
    frame = frames.event(b"inbox:deleted", b"42", b"e-1", b'{"id": 7 }')
    assert frame == b'{"event":"inbox:deleted","seq":42,"id":"e-1","data":{"id": 7 }}'


@given(st.sampled_from(sorted(EVENT_TYPES)), sequences, event_ids, json_values, st.booleans(), st.none() | st.just(2))
def test_an_event_frame_is_json_whatever_the_body(
    name: str, seq: int, event_id: str, value: Any, escaped: bool, indent: int | None
) -> None:
    body = json.dumps(value, ensure_ascii=escaped, indent=indent).encode()
    frame = frames.event(name.encode(), str(seq).encode(), event_id.encode(), body)
    assert json.loads(frame) == {"event": name, "seq": seq, "id": event_id, "data": value}
    assert EventFrame.model_validate_json(frame).id == event_id


@given(sequences, st.text(), st.booleans(), st.integers(1))
def test_a_hello_frame_is_read_back_as_it_was_made(seq: int, epoch: str, resumed: bool, heartbeat: int) -> None:
    frame = frames.hello(seq, user=user_id("alice"), epoch=epoch, resumed=resumed, heartbeat=heartbeat)
    read = HelloFrame.model_validate(json.loads(frame))
    assert (read.seq, read.data.epoch, read.data.resumed, read.data.heartbeat) == (seq, epoch, resumed, heartbeat)


@given(sequences, st.text())
def test_any_reason_fits_into_a_resync_frame(seq: int, reason: str) -> None:
    assert ResyncFrame.model_validate_json(frames.resync(seq, reason)).data.reason == reason


def test_the_close_codes_are_the_documented_ones() -> None:
    assert {code.value for code in CloseCode} == {1001, 1013, 4400, 4401, 4403, 4408, 4429}


def test_every_close_code_comes_with_advice() -> None:
    assert set(CLOSE_ADVICE) == set(CloseCode)


@pytest.mark.parametrize("code", CloseCode)
def test_a_server_may_send_every_close_code(code: CloseCode) -> None:
    Close(code, "").check()


@pytest.mark.parametrize(
    ("codes", "advice"),
    [
        ({1001, 1013, 4408}, "Come back and resume."),
        ({4401}, "Get a new one, then come back."),
        ({4429}, "Wait retry_after seconds (in the reason), then come back."),
        ({4400, 4403}, "Stop."),
    ],
)
def test_the_close_code_tells_the_client_what_to_do(codes: set[int], advice: str) -> None:
    assert {code.value for code, text in CLOSE_ADVICE.items() if text.endswith(advice)} == codes


def test_a_client_renews_its_token_and_may_know_more_than_the_server() -> None:
    assert AuthOperation.model_validate_json('{"op":"auth","token":"t","from_the_future":1}').token == "t"


@pytest.mark.parametrize(
    "text",
    [
        '{"op":"auth"}',
        '{"op":"auth","token":""}',
        '{"op":"auth","token":7}',
        '{"op":"subscribe","token":"t"}',
        "[]",
        "",
    ],
)
def test_anything_else_from_a_client_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        AuthOperation.model_validate_json(text)
