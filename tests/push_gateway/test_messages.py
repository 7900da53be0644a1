"""Reading raw bus messages, and the frames that they become."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nats.aio.msg import Msg

from push_gateway.messages import Malformed, header, live_event, read_event, status
from tests.push_gateway.raw_client import text_of
from tests.push_gateway.stage import Events

LIVE = (
    b"NATS/1.0\r\nNats-Msg-Id: e1\r\nce-specversion: 1.0\r\nce-id: e1\r\nce-source: /inbox\r\n"
    b"ce-type: inbox:deleted\r\nNats-Stream: EVENTS\r\nNats-Subject: events.alice.inbox\r\n"
    b"Nats-Sequence: 42\r\nNats-Last-Sequence: 40\r\n\r\n"
)


def test_a_live_message_says_where_it_stands_and_what_stood_before_it() -> None:
    """That is what the feed works with."""
    event = live_event(b"push.alice.inbox", LIVE, b'{"id":"x"}')
    assert (event.source, event.seq, event.previous) == (b"inbox", 42, 40)


def test_a_message_that_was_read_does_not_say_what_stood_before_it() -> None:
    """Its header of that name counts the messages of the answer, whatever their subject."""
    event = read_event(LIVE, b'{"id":"x"}')
    assert (event.source, event.seq, event.previous) == (b"inbox", 42, None)


def test_the_frame_carries_the_body_byte_for_byte() -> None:
    """It is spliced in: neither spaces nor the order of members nor the writing of a number change."""
    body = '{"b" : 1.50, "a":"\\u00e9 é \U0001f30a", "a":null}'.encode()
    frame = text_of(live_event(b"push.alice.inbox", LIVE, body).frame)
    assert frame == b'{"event":"inbox:deleted","seq":42,"id":"e1","data":' + body + b"}"


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=10,
        ),
    )
)
def test_a_frame_of_any_body_is_json(data: object) -> None:
    """What is a JSON object on the bus is JSON on the socket."""
    frame = text_of(live_event(b"push.alice.inbox", LIVE, json.dumps(data).encode()).frame)
    assert json.loads(frame) == {"event": "inbox:deleted", "seq": 42, "id": "e1", "data": data}


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        (b"Nats-Sequence: 42\r\n", b""),
        (b"Nats-Sequence: 42", b"Nats-Sequence: "),
        (b"Nats-Sequence: 42", b"Nats-Sequence: -42"),
        (b"Nats-Sequence: 42", b"Nats-Sequence: 4,2"),
        (b"Nats-Sequence: 42", b"Nats-Sequence: " + b"9" * 5000),  # more than Python would read
        (b"Nats-Last-Sequence: 40\r\n", b""),
        (b"Nats-Last-Sequence: 40", b"Nats-Last-Sequence: x"),
        (b"ce-id: e1\r\n", b""),
        (b"ce-type: inbox:deleted\r\n", b""),
        (b"ce-id: e1", b'ce-id: e"1'),
        (b"ce-id: e1", b"ce-id: e\\1"),
        (b"ce-id: e1", b"ce-id: \xff\xfe"),
        (b"ce-type: inbox:deleted", b'ce-type: x","seq":99,"y":"'),
        (b"ce-type: inbox:deleted", b"ce-type: a\tb"),
    ],
)
def test_a_live_message_that_is_no_event_is_refused(line: bytes, instead: bytes) -> None:
    """Nothing that would break the frame, or the count, gets any further."""
    assert LIVE.count(line) == 1
    with pytest.raises(Malformed):
        live_event(b"push.alice.inbox", LIVE.replace(line, instead), b"{}")


def test_a_live_message_without_headers_is_refused() -> None:
    """Anybody can publish one."""
    with pytest.raises(Malformed):
        live_event(b"push.alice.inbox", None, b"{}")


NO_OBJECTS = (
    b"", b"not JSON", b"[]", b"null", b"5", b'"text"', b'{"a":1', b'{"a":1}}', b"{'a':1}", b'{"a":1,}', b'{"a":01}',
    b'{"a":NaN}', b'{"a":[-Infinity]}', b'{"a":"\xff"}', b'{"a":"\n"}', b"\xef\xbb\xbf{}", b'{},"seq":7,"x":{}',
)  # fmt: skip


@pytest.mark.parametrize("body", NO_OBJECTS)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    """A client that was sent one might break off the connection, come back for what it has missed, and be sent it."""
    with pytest.raises(Malformed):
        live_event(b"push.alice.inbox", LIVE, body)
    with pytest.raises(Malformed):
        read_event(LIVE, body)


def test_a_text_may_speak_of_what_is_no_number() -> None:
    """`NaN` and `Infinity` are words there."""
    body = '{"ä":"NaN, -Infinity"}'.encode()
    assert live_event(b"push.alice.inbox", LIVE, body).frame.endswith(b'"data":' + body + b"}")


def test_headers_that_break_off_stop_nobody() -> None:
    """The server takes them over from whoever publishes; the gateway must not end over them."""
    for end in range(len(LIVE)):
        with contextlib.suppress(Malformed):
            live_event(b"push.alice.inbox", LIVE[:end], b"{}")
        status(LIVE[:end])


def test_a_header_is_found_by_its_whole_name() -> None:
    """`Nats-Sequence` ends a longer name and begins another, and stands in a value."""
    headers = b"NATS/1.0\r\nX-Nats-Sequence: 1\r\nNats-Sequence-X: 2\r\ny: Nats-Sequence:3\r\nNats-Sequence: 4\r\n\r\n"
    assert header(headers, b"Nats-Sequence") == b"4"
    assert header(headers, b"Nats-Seq") is None


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (b"NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\n\r\n", 204),
        (b"NATS/1.0 404 Message Not Found\r\n\r\n", 404),
        (b"NATS/1.0 503\r\n\r\n", 503),
        (b"NATS/1.0\r\nNats-Stream: EVENTS\r\n\r\n", None),
        (b"NATS/1.0\r\n\r\n", None),
        (LIVE, None),
    ],
)
def test_a_status_stands_in_the_first_line_only(headers: bytes, code: int | None) -> None:
    """A message that carries an event has none."""
    assert status(headers) == code


async def test_what_the_server_republishes_and_what_it_reads_out_give_the_same_frame(
    events: Events, alice: str
) -> None:
    """A client cannot tell a live event from one that was read."""
    client = events.bus.client
    subscription = await client.subscribe(f"push.{alice}.*")
    [stored] = await events.store(alice)
    message = await subscription.next_msg(timeout=5)
    await subscription.unsubscribe()
    answer = await client.request(
        "$JS.API.DIRECT.GET.EVENTS", json.dumps({"seq": 1, "next_by_subj": f"events.{alice}.*"}).encode(), timeout=5
    )
    live = live_event(message.subject.encode(), *as_on_the_wire(message))
    read = read_event(*as_on_the_wire(answer))
    assert (live.source, live.seq, live.frame) == (read.source, read.seq, read.frame)
    assert json.loads(text_of(live.frame)) == stored.frame


def as_on_the_wire(message: Msg) -> tuple[bytes, bytes]:
    """The raw headers and the body of a message that nats-py has parsed."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (message.headers or {}).items())
    return f"NATS/1.0\r\n{lines}\r\n".encode(), message.data
