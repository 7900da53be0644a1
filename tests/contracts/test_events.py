"""What the data of an event may be."""

import datetime as dt
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from contracts.events import EVENT_TYPES, EventIdText, EventName, InboxItem, InboxUnread, Time, UserIdText, utc
from contracts.subjects import SOURCES, InvalidUserId, user_id

Examples = dict[str, dict[str, Any]]

every_event = pytest.mark.parametrize("name", EVENT_TYPES)


def with_unknown_fields(value: Any) -> Any:
    """The same JSON from a newer writer: every object has a field that nobody knows here."""
    if isinstance(value, dict):
        return {key: with_unknown_fields(part) for key, part in value.items()} | {"from_the_future": [1]}
    if isinstance(value, list):
        return [with_unknown_fields(part) for part in value]
    return value


def test_the_events_are_the_documented_ones() -> None:
    assert {event.name: event.source for event in EVENT_TYPES.values()} == {
        "connection_answer:created": "connection",
        "connection_partnership:created": "connection",
        "connection_partnership:ended": "connection",
        "inbox:created": "inbox",
        "inbox:updated": "inbox",
        "inbox:deleted": "inbox",
        "inbox:unread": "inbox",
    }


def test_every_event_name_has_a_type_and_a_known_source() -> None:
    assert tuple(EVENT_TYPES) == get_args(EventName)
    assert {event.source for event in EVENT_TYPES.values()} == set(SOURCES)


@every_event
def test_data_comes_out_as_it_went_in(name: str, examples: Examples) -> None:
    assert EVENT_TYPES[name].data.model_validate(examples[name]).model_dump(mode="json") == examples[name]


@every_event
def test_unknown_fields_are_ignored(name: str, examples: Examples) -> None:
    shape = EVENT_TYPES[name].data
    newer = with_unknown_fields(examples[name])
    if shape is InboxItem:  # its `data` is anybody's object and is kept whole
        newer["data"] = examples[name]["data"]
    assert shape.model_validate(newer) == shape.model_validate(examples[name])


def test_whatever_stands_in_an_items_data_is_kept(examples: Examples) -> None:
    item = InboxItem.model_validate(examples["inbox:created"] | {"data": {"anything": [None, {"deep": 1.5}]}})
    assert item.data == {"anything": [None, {"deep": 1.5}]}


def test_an_item_needs_neither_a_sender_nor_a_time_of_reading(examples: Examples) -> None:
    without = {key: value for key, value in examples["inbox:created"].items() if key not in ("sender_id", "read_at")}
    item = InboxItem.model_validate(without)
    assert item.sender_id is None
    assert item.read_at is None


@pytest.mark.parametrize("field", ["recipient_id", "sender_id"])
@pytest.mark.parametrize("value", ["alice.bob", "", "alice\n", "*", "a" * 65])
def test_an_item_has_only_user_ids_for_users(field: str, value: str, examples: Examples) -> None:
    with pytest.raises(ValidationError, match=field):
        InboxItem.model_validate(examples["inbox:created"] | {field: value})


def test_data_cannot_be_changed(examples: Examples) -> None:
    item = InboxItem.model_validate(examples["inbox:created"])
    with pytest.raises(ValidationError, match="frozen"):
        item.is_read = False  # type: ignore[misc]


def test_an_unread_count_is_never_negative() -> None:
    with pytest.raises(ValidationError):
        InboxUnread(unread_count=-1)


class Moment(BaseModel):
    """Something with a time."""

    at: Time


@given(st.datetimes(timezones=st.timezones()))
def test_times_come_out_in_utc(at: dt.datetime) -> None:
    try:
        utc(at)
    except ValueError:
        return
    moment = Moment(at=at)
    assert moment.at == utc(at)
    assert moment.at.tzinfo is dt.UTC
    assert moment.model_dump_json().endswith('Z"}')
    assert Moment.model_validate_json(moment.model_dump_json()) == moment


def test_a_time_with_an_offset_is_the_same_moment_in_utc() -> None:
    moment = Moment.model_validate_json('{"at":"2026-03-01T01:30:00+02:00"}')
    assert moment.model_dump_json() == '{"at":"2026-02-28T23:30:00Z"}'


@pytest.mark.parametrize(
    "text",
    ["2026-03-01T21:30:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "yesterday", ""],
    ids=["no zone", "before the year 1", "after the year 9999", "prose", "nothing"],
)
def test_what_is_no_moment_in_utc_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Moment.model_validate({"at": text})


def test_a_time_without_a_zone_is_not_taken_for_local_time() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        utc(dt.datetime(2026, 3, 1))  # noqa: DTZ001


@given(st.text() | st.text("aZ_-9.\n*", max_size=66))
def test_the_published_pattern_refuses_the_same_user_ids_as_the_subjects(text: str) -> None:
    try:
        user_id(text)
    except InvalidUserId:
        with pytest.raises(ValidationError):
            TypeAdapter(UserIdText).validate_python(text)
    else:
        assert TypeAdapter(UserIdText).validate_python(text) == text


@given(st.text() | st.text('!"%\\~ \n\x7f[]', max_size=130))
def test_an_event_id_needs_no_escaping_anywhere(text: str) -> None:
    try:
        TypeAdapter(EventIdText).validate_python(text)
    except ValidationError:
        assert not (1 <= len(text) <= 128 and all("!" <= char <= "~" and char not in '"%\\' for char in text))
    else:
        assert 1 <= len(text) <= 128
        assert all("!" <= char <= "~" and char not in '"%\\' for char in text)
