"""Cursors: what comes back unchanged is understood, and nothing else."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import BadRequest
from chassis.paging import cursor_of, key_of


def cursor(content: object) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@given(st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_a_cursor_holds_the_key_that_it_was_made_of(key: list[str]) -> None:
    """In characters that need no quoting in a URL."""
    made = cursor_of(*key)
    assert set(made) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert key_of(made, len(key)) == tuple(key)


def test_no_cursor_is_the_first_page() -> None:
    """Which is not the same as an empty one."""
    assert key_of(None, 1) is None


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        "\u2603",
        "=",
        "a",
        "W10=",
        cursor(b"\xff"),
        cursor(b"[" * 380),
        cursor([]),
        cursor(["a", "b"]),
        cursor([7]),
        cursor([None]),
        cursor({"a": "b"}),
        cursor("a"),
        cursor(["a\x00"]),
        cursor(["\ud800"]),
        cursor_of("a") + "!",
        cursor_of("a") + "\n",
    ],
)
def test_what_is_no_cursor_is_a_bad_request_that_names_it(given: str) -> None:
    """Nothing of it reaches the database."""
    with pytest.raises(BadRequest) as refused:
        key_of(given, 1)
    assert refused.value.field == "cursor"
