"""Owns kinds of text in requests that PostgreSQL and JSON can both carry."""

import math
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

NESTING_MAX = 32
"""Objects and arrays in one another. From 255 on pydantic could not write them out again."""


def _storable(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain the character U+0000")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must not contain half of a surrogate pair")
    return value


def _storable_object(value: dict[str, Any]) -> dict[str, Any]:
    _check(value, NESTING_MAX)
    return value


def _check(value: Any, depth: int) -> None:
    match value:
        case str():
            _storable(value)
        case float() if not math.isfinite(value):
            raise ValueError("must not contain NaN or an infinity")
        case dict() | list() if depth == 0:
            raise ValueError(f"must not be nested over {NESTING_MAX} levels deep")
        case dict():
            for key, member in value.items():
                _storable(key)
                _check(member, depth - 1)
        case list():
            for member in value:
                _check(member, depth - 1)


Storable = Annotated[str, AfterValidator(_storable), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]
"""Any text that can be stored."""

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1),
    AfterValidator(_storable),
    Field(json_schema_extra={"pattern": r"^[^\u0000]*[^\s\u0000\u0085][^\u0000]*$"}),
]
"""Text that is not empty once surrounding white space is taken away.

Give these a `max_length` where it is used.
"""

StorableObject = Annotated[dict[str, Any], AfterValidator(_storable_object)]
"""A JSON object that can be stored as `jsonb` and read again: also no NaN, no infinity, not too deep."""
