"""Owns cursors: where the next page of a list starts, as text that means nothing to the client."""

import base64
import json
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, TypeAdapter

from chassis.errors import BadRequest
from chassis.fields import Storable

PAGE = 50
PAGE_MAX = 200
"""Items a page at most: about 200 KiB of the largest usual items."""

CURSOR = "cursor"
"""What the document calls the format: more than this is nobody's business."""

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="items a page")]
Cursor = Annotated[
    str | None,
    Query(description="`next_cursor` of the page before", max_length=512, json_schema_extra={"format": CURSOR}),
]


_KEY = TypeAdapter(tuple[Storable, ...])

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """A part of a list; `next_cursor` asks for the part after it, and is null at the end."""

    items: list[T]
    next_cursor: str | None = None


def cursor_of(*key: str) -> str:
    """The cursor for the page after the item with this sort key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def key_of(cursor: str | None, length: int) -> tuple[str, ...] | None:
    """The sort key in `cursor`, `length` texts; None if there is no cursor.

    Raises:
        BadRequest: the cursor is not one of ours.
    """
    if cursor is None:
        return None
    try:
        key = _KEY.validate_json(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except ValueError:  # it is not base64, not JSON, or not a list of texts
        key = ()
    if len(key) != length:
        raise BadRequest("not a cursor: pass `next_cursor` of the page before, unchanged", field="cursor")
    return key
