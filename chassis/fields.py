"""Owns kinds of text in requests that PostgreSQL and JSON can both carry."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints


def _storable(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain the character U+0000")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must not contain half of a surrogate pair")
    return value


def _storable_object(value: dict[str, Any]) -> dict[str, Any]:
    _storable(json.dumps(value, ensure_ascii=False, allow_nan=False).replace("\\u0000", "\x00"))
    return value


Storable = Annotated[str, AfterValidator(_storable)]
"""Any text that can be stored."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_storable)]
"""Text that is not empty once surrounding white space is taken away.

Give these a `max_length` where it is used.
"""

StorableObject = Annotated[dict[str, Any], AfterValidator(_storable_object)]
"""A JSON object that can be stored as `jsonb`: also no NaN and no infinity."""
