"""How an event stands on the bus, and what is refused as one."""

import datetime as dt
import json
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event
from cloudevents.v1.http import from_http
from hypothesis import given
from hypothesis import strategies as st

from contracts.cloudevents import Event, InvalidEvent, read_event
from contracts.events import EVENT_ID_PATTERN, EVENT_TYPES, InboxItem, InboxUnread
from contracts.subjects import USER_ID_PATTERN, user_id

Examples = dict[str, dict[str, Any]]

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ALICE = user_id("alice")
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
EVENT = Event("e-1", "inbox:unread", ALICE, NOON, b'{"unread_count":3}', TRACE)

every_event = pytest.mark.parametrize("name", EVENT_TYPES)

events = st.builds(
    Event,
    id=st.from_regex(EVENT_ID_PATTERN, fullmatch=True),
    type=st.sampled_from(sorted(EVENT_TYPES)),
    user=st.from_regex(USER_ID_PATTERN, fullmatch=True).map(user_id),
    time=st.datetimes(timezones=st.just(dt.UTC)),
    body=st.binary(max_size=64),
    traceparent=st.none() | st.just(TRACE),
)

hostile = st.text(st.characters()) | st.text('%0dDaA"\\\r\n\ud800\0é', max_size=12)


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


def test_the_headers_are_the_documented_ones() -> None:
    assert EVENT.headers() == {
        "Nats-Msg-Id": "e-1",
        "ce-specversion": "1.0",
        "ce-id": "e-1",
        "ce-source": "/inbox",
        "ce-type": "inbox:unread",
        "ce-subject": "alice",
        "ce-time": "2026-03-01T12:00:00Z",
        "content-type": "application/json",
        "traceparent": TRACE,
    }


def test_an_event_that_no_request_caused_has_no_traceparent() -> None:
    assert "traceparent" not in Event("e-1", "inbox:unread", ALICE, NOON, b"{}").headers()


@given(events)
def test_an_event_is_read_back_as_it_was_published(event: Event) -> None:
    assert read_event(event.headers(), event.body) == event


@given(events)
def test_no_header_needs_escaping(event: Event) -> None:
    assert all("!" <= char <= "~" for value in event.headers().values() for char in value)


@every_event
def test_the_message_is_a_cloudevent_to_the_cloudevents_sdk(name: str, examples: Examples) -> None:
    data = EVENT_TYPES[name].data.model_validate(examples[name])
    event = Event.of(name, data, id="e-1", user=ALICE, time=NOON)
    read = from_binary_event(HTTPMessage(event.headers(), event.body))
    assert read.get_specversion() == "1.0"
    assert read.get_id() == "e-1"
    assert read.get_type() == name
    assert read.get_source() == f"/{EVENT_TYPES[name].source}"
    assert read.get_subject() == "alice"
    assert read.get_time() == NOON
    assert read.get_datacontenttype() == "application/json"
    assert read.get_data() == examples[name]


@every_event
def test_the_message_is_a_cloudevent_to_the_sdks_older_interface_too(name: str, examples: Examples) -> None:
    data = EVENT_TYPES[name].data.model_validate(examples[name])
    event = Event.of(name, data, id="e-1", user=ALICE, time=NOON)
    read = from_http(event.headers(), event.body)
    assert (read["id"], read["type"], read["subject"]) == ("e-1", name, "alice")
    assert read.get_data() == examples[name]


@every_event
def test_the_data_of_an_event_has_the_shape_that_belongs_to_its_name(name: str, examples: Examples) -> None:
    data = EVENT_TYPES[name].data.model_validate(examples[name])
    event = Event.of(name, data, id="e-1", user=ALICE, time=NOON)
    assert json.loads(event.body) == examples[name]
    assert event.data() == data


def test_an_event_is_not_made_with_data_of_another_shape() -> None:
    with pytest.raises(AssertionError, match="inbox:created carries a InboxItem, not a InboxUnread"):
        Event.of("inbox:created", InboxUnread(unread_count=1), id="e-1", user=ALICE, time=NOON)


@given(st.dictionaries(st.sampled_from(sorted(EVENT.headers())) | hostile, hostile))
def test_whatever_stands_in_the_headers_only_an_invalid_event_is_raised(given_: dict[str, str]) -> None:
    for headers in (given_, EVENT.headers() | given_):
        try:
            event = read_event(headers, b"")
        except InvalidEvent:
            continue
        assert read_event(event.headers(), b"") == event


@given(st.sampled_from(["ce-id", "ce-time", "ce-subject", "traceparent"]), hostile)
def test_one_hostile_header_is_refused_or_harmless(name: str, value: str) -> None:
    try:
        event = read_event(EVENT.headers() | {name: value}, b"")
    except InvalidEvent:
        return
    assert all("!" <= char <= "~" for text in event.headers().values() for char in text)


@pytest.mark.parametrize("headers", [None, {}])
def test_a_message_without_headers_is_no_event(headers: dict[str, str] | None) -> None:
    with pytest.raises(InvalidEvent, match="ce-specversion is missing"):
        read_event(headers, b"{}")


@pytest.mark.parametrize("name", ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-subject", "ce-time"])
def test_a_missing_header_is_named(name: str) -> None:
    with pytest.raises(InvalidEvent, match=f"^the header {name} is missing$"):
        read_event(without(EVENT.headers(), name), EVENT.body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce-specversion", "0.3"),
        ("ce-type", "inbox:exploded"),
        ("ce-source", "/connection"),
        ("ce-source", "inbox"),
        ("ce-subject", "alice.bob"),
        ("ce-subject", "%2A"),
        ("ce-subject", "alice%0A"),
        ("ce-time", "noon"),
        ("ce-time", "2026-03-01T12:00:00"),
        ("ce-time", "0001-01-01T00:00:00+14:00"),
        ("ce-id", ""),
        ("ce-id", "a%0D%0ANats-Msg-Id:%20b"),
        ("ce-id", 'a","data":"forged'),
        ("ce-id", "a%22"),
        ("ce-id", "back\\slash"),
        ("ce-id", "x" * 129),
    ],
)
def test_a_wrong_header_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidEvent, match=name):
        read_event(EVENT.headers() | {name: value}, EVENT.body)


@pytest.mark.parametrize("name", ["content-type", "Nats-Msg-Id", "traceparent"])
def test_a_reader_does_not_need_the_other_headers(name: str) -> None:
    assert read_event(without(EVENT.headers(), name), EVENT.body).id == "e-1"


def test_header_names_are_read_in_any_case() -> None:
    headers = {name.title(): value for name, value in EVENT.headers().items()}
    assert read_event(headers, EVENT.body) == EVENT


def test_values_that_another_writer_percent_encoded_are_decoded() -> None:
    encoded = {"ce-subject": "%61lice", "ce-id": "%65-1", "ce-type": "inbox%3Aunread", "ce-source": "%2finbox"}
    assert read_event(EVENT.headers() | encoded, EVENT.body) == EVENT


def test_unknown_headers_are_ignored() -> None:
    assert read_event(EVENT.headers() | {"ce-future": "%ff", "Nats-Sequence": "7"}, EVENT.body) == EVENT


def test_a_time_with_an_offset_is_read_as_utc() -> None:
    event = read_event(EVENT.headers() | {"ce-time": "2026-03-01T14:00:00+02:00"}, EVENT.body)
    assert (event.time, event.time.tzinfo) == (NOON, dt.UTC)


def test_a_time_of_another_zone_is_published_as_utc() -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    event = Event("e-1", "inbox:unread", ALICE, dt.datetime(2026, 3, 1, 14, tzinfo=zone), b"{}")
    assert event.headers()["ce-time"] == "2026-03-01T12:00:00Z"


def test_an_event_is_not_made_without_a_time_zone() -> None:
    with pytest.raises(InvalidEvent, match="ce-time"):
        Event("e-1", "inbox:unread", ALICE, dt.datetime(2026, 3, 1, 12), b"{}")  # noqa: DTZ001


@pytest.mark.parametrize("trace", ["", "hello", TRACE.upper(), TRACE + "\n", TRACE + "\r\nce-id: forged"])
def test_a_malformed_traceparent_costs_the_trace_and_not_the_event(trace: str) -> None:
    assert read_event(EVENT.headers() | {"traceparent": trace}, EVENT.body).traceparent is None
    assert "traceparent" not in Event("e-1", "inbox:unread", ALICE, NOON, b"{}", trace).headers()


def test_reading_an_event_does_not_parse_its_body() -> None:
    assert read_event(EVENT.headers(), b"\xff not json").body == b"\xff not json"


@given(st.sampled_from(sorted(EVENT_TYPES)), st.binary() | st.text('{}[]"idnul:,0', max_size=20).map(str.encode))
def test_data_that_does_not_fit_is_an_invalid_event(name: str, body: bytes) -> None:
    event = Event("e-1", name, ALICE, NOON, body)
    try:
        data = event.data()
    except InvalidEvent:
        return
    assert isinstance(data, EVENT_TYPES[name].data)


@every_event
def test_data_that_does_not_fit_is_named(name: str) -> None:
    with pytest.raises(InvalidEvent, match=f"the data of {name} e-1: "):
        Event("e-1", name, ALICE, NOON, b"[]").data()


@every_event
def test_what_is_wrong_with_data_is_said_without_quoting_them(name: str) -> None:
    """It is logged, and kept with a dead letter."""
    for body in (
        b'["a secret"]',
        b'{"answer": "a secret", "id": "a secret"}',
        b'{"unread_count": "a secret"}',
        b"a secret",
    ):
        with pytest.raises(InvalidEvent) as caught:
            Event("e-1", name, ALICE, NOON, body).data()
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-03-01T12:00:00"])
def test_data_with_an_impossible_time_is_an_invalid_event(at: str, examples: Examples) -> None:
    body = json.dumps(examples["inbox:created"] | {"created_at": at}).encode()
    with pytest.raises(InvalidEvent, match="created_at"):
        Event("e-1", "inbox:created", ALICE, NOON, body).data()


def test_data_nested_too_deeply_is_an_invalid_event() -> None:
    with pytest.raises(InvalidEvent):
        Event("e-1", "inbox:created", ALICE, NOON, b'{"data":' + b"[" * 100_000).data()


def test_data_from_a_newer_writer_is_read(examples: Examples) -> None:
    body = json.dumps(examples["inbox:created"] | {"from_the_future": {}}).encode()
    assert Event("e-1", "inbox:created", ALICE, NOON, body).data() == InboxItem.model_validate(
        examples["inbox:created"]
    )
