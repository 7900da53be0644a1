"""Which text and which objects are taken: those that come out of PostgreSQL as they went in."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import text

from chassis.database import Database
from chassis.fields import NESTING_MAX, Storable, StorableObject, Text

STORABLE, TEXT, OBJECT = TypeAdapter(Storable), TypeAdapter(Text), TypeAdapter(StorableObject)

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


def nested(depth: int) -> dict[str, Any]:
    """An object in an object, so many of them."""
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"in": value}
    return value


@pytest.mark.parametrize("value", ["", " ", "a", "\u2603 \U0001f600", "\u0001", "\\u0000", "\ue000"])
def test_text_that_can_be_stored_is_taken_as_it_is(value: str) -> None:
    """Also what only looks like a character that cannot."""
    assert STORABLE.validate_python(value) == value
    assert OBJECT.validate_python({value: [value]}) == {value: [value]}


@pytest.mark.parametrize("value", ["\x00", "a\x00b", "\ud800", "a\udfffb"])
def test_text_that_cannot_be_stored_is_refused(value: str) -> None:
    """By itself, and wherever it stands in an object."""
    for adapter in (STORABLE, TEXT):
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
    for content in ({"a": value}, {value: 1}, {"a": [1, {"b": value}]}, {"a": {"b": {value: None}}}):
        with pytest.raises(ValidationError):
            OBJECT.validate_python(content)


@pytest.mark.parametrize(("value", "kept"), [(" a ", "a"), ("\n\u2003a b\t", "a b")])
def test_white_space_around_a_text_is_taken_away(value: str, kept: str) -> None:
    """And what stands inside is left."""
    assert TEXT.validate_python(value) == kept


@pytest.mark.parametrize("value", ["", " ", "\n\t", "\u00a0\u2003\u3000"])
def test_a_text_of_white_space_only_is_refused(value: str) -> None:
    """It says nothing."""
    with pytest.raises(ValidationError):
        TEXT.validate_python(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_know_is_refused(value: float) -> None:
    """Python reads it from JSON all the same."""
    for content in ({"a": value}, {"a": [{"b": value}]}):
        with pytest.raises(ValidationError):
            OBJECT.validate_python(content)


def test_an_object_may_be_nested_so_deeply_and_no_deeper() -> None:
    """Every reader of JSON has a depth at which it gives up, and ours must not be the first."""
    OBJECT.validate_python(nested(NESTING_MAX))
    for depth in (NESTING_MAX + 1, 500, 50_000):
        with pytest.raises(ValidationError, match="nested"):
            OBJECT.validate_python(nested(depth))
        with pytest.raises(ValidationError, match="nested"):
            OBJECT.validate_python({"a": [nested(depth - 1)]})


@given(st.dictionaries(st.text(), JSON, max_size=3))
def test_an_object_is_taken_exactly_if_it_can_be_stored(value: dict[str, Any]) -> None:
    """Of all that JSON can say, only U+0000 cannot be."""
    try:
        assert OBJECT.validate_python(value) == value
    except ValidationError:
        assert "\x00" in repr(value).replace("\\x00", "\x00")


async def test_what_is_taken_comes_back_from_the_database_as_it_was(database: Database) -> None:
    """The strangest that there is."""
    value = {
        "\u2603": ["\\u0000", "\u0001", "\U0001f600", 2**53, -1.5e-9, None, True, {}],
        "deep": nested(NESTING_MAX - 1),
    }
    async with database.transaction() as connection:
        stored = await connection.scalar(text("SELECT CAST(:value AS jsonb)"), {"value": json.dumps(value)})
    assert stored == OBJECT.validate_python(value)
