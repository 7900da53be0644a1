"""What a client asks for when it connects."""

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from push_gateway.errors import NotAllowed, TokenRefused
from push_gateway.handshake import Cursor, check_origin, cursor_of, offered_subprotocols, token_of


def asks(path: str = "/v1/push", *headers: tuple[str, str]) -> Request:
    """A request with these headers; a name may stand twice."""
    return Request(path, Headers(headers))


def test_a_client_that_names_no_origin_may_connect() -> None:
    """What is not a browser does not send the header."""
    check_origin(asks(), ["https://tandem.example"])


def test_a_page_on_the_list_may_connect() -> None:
    """The origin is compared as the browser writes it."""
    check_origin(asks("/v1/push", ("Origin", "https://tandem.example")), ["https://tandem.example"])


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://tandem.example",
        "https://tandem.example:8443",
        "https://tandem.example.evil.example",
        "null",
        "",
    ],
)
def test_any_other_page_may_not_connect(origin: str) -> None:
    """Nothing is derived from the list: another scheme, port or longer name is another page."""
    with pytest.raises(NotAllowed):
        check_origin(asks("/v1/push", ("Origin", origin)), ["https://tandem.example"])


def test_a_second_origin_helps_nobody() -> None:
    """Which of them a proxy in front has looked at is not known."""
    for second in ("https://tandem.example", "https://evil.example"):
        request = asks("/v1/push", ("Origin", "https://tandem.example"), ("Origin", second))
        with pytest.raises(NotAllowed):
            check_origin(request, ["https://tandem.example"])


def test_the_token_stands_among_the_subprotocols() -> None:
    """A browser can set no other header."""
    assert token_of(asks("/v1/push", ("Sec-WebSocket-Protocol", "tandem.v1, bearer.a.b.c"))) == "a.b.c"


def test_subprotocols_may_stand_in_several_headers() -> None:
    """RFC 6455 section 11.3.4 allows a client to write one each."""
    request = asks("/v1/push", ("Sec-WebSocket-Protocol", "tandem.v1"), ("Sec-WebSocket-Protocol", "bearer.a.b.c,x"))
    assert offered_subprotocols(request) == ["tandem.v1", "bearer.a.b.c", "x"]
    assert token_of(request) == "a.b.c"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_may_stand_in_the_authorization_header(scheme: str) -> None:
    """The scheme's case does not matter (RFC 9110 section 11.1)."""
    assert token_of(asks("/v1/push", ("Authorization", f"{scheme} a.b.c"))) == "a.b.c"


def test_a_second_authorization_header_does_no_harm() -> None:
    """A proxy may have added its own."""
    assert token_of(asks("/v1/push", ("Authorization", "Basic eDp5"), ("Authorization", "Bearer a.b.c"))) == "a.b.c"


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/v1/push", ("Authorization", "Basic eDp5")),
        ("/v1/push", ("Authorization", "Bearer")),
        ("/v1/push", ("Sec-WebSocket-Protocol", "tandem.v1")),
        ("/v1/push?token=a.b.c&access_token=a.b.c", ("Accept", "*/*")),
    ],
)
def test_a_token_anywhere_else_is_none(path: str, header: tuple[str, str]) -> None:
    """Above all not in the URL, where it ends up in logs."""
    with pytest.raises(TokenRefused, match="tandem"):
        token_of(asks(path, header))


def test_a_cursor_names_a_history_and_a_position_in_it() -> None:
    """The order does not matter, and what is unknown is ignored."""
    assert cursor_of(asks("/v1/push?since=41&x=1&epoch=e1")) == Cursor("e1", 41, {b"connection": 41, b"inbox": 41})


def test_a_cursor_may_name_a_position_for_each_source() -> None:
    """The client has everything up to the lowest of them."""
    cursor = cursor_of(asks("/v1/push?epoch=e1&since=41&connection=17"))
    assert cursor == Cursor("e1", 41, {b"connection": 17, b"inbox": 41})
    assert cursor is not None
    assert cursor.whole == 17


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?since=41",
        "?epoch=e1",
        "?epoch=e1&since=",
        "?epoch=&since=41",
        "?epoch=e1&since=-1",
        "?epoch=e1&since=4.1",
        "?epoch=e1&since=0x29",
        "?epoch=e1&since=+41",
        "?epoch=e1&since=%D9%A4%D9%A1",  # digits, but not ours
        "?epoch=e1&since=" + "9" * 5000,  # more than Python would read
        "?epoch=e1;since=41",
        "?epoch=e1&since=41&inbox=",
        "?epoch=e1&since=41&connection=-1",
    ],
)
def test_a_cursor_that_cannot_be_read_is_none(query: str) -> None:
    """Then the client fetches its state anew, which is always right."""
    assert cursor_of(asks(f"/v1/push{query}")) is None
