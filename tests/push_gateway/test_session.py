"""What a client may send, and how long its token lasts."""

import json

import pytest

from tests.push_gateway.conftest import Connect, ConnectRaw
from tests.push_gateway.raw_client import closed_with, frame_bytes
from tests.push_gateway.stage import AUTH, Events, token_for

TEXT, CONTINUATION = 1, 0

ALMOST_OVER = {"ttl": -AUTH.leeway + 2.5}
"""A token that is over, and is taken because clocks may differ by the leeway; its socket ends at the next look."""


def renewal(token: str) -> str:
    """The one operation."""
    return json.dumps({"op": "auth", "token": token})


async def test_a_socket_ends_with_its_token(connect: Connect, alice: str) -> None:
    """4401, while another device of the same user stays."""
    lasting = await connect(alice)
    ending = await connect(alice, token=token_for(alice, **ALMOST_OVER))
    assert (await ending.closed()).code == 4401
    assert lasting.open_still


async def test_a_token_is_renewed_on_the_open_socket(connect: Connect, events: Events, alice: str) -> None:
    """It then outlives one that was opened with the same token, and misses nothing."""
    token = token_for(alice, **ALMOST_OVER)
    renewed, forgotten = await connect(alice, token=token), await connect(alice, token=token)
    await renewed.socket.send(renewal(token_for(alice)))
    assert (await forgotten.closed()).code == 4401
    [stored] = await events.store(alice)
    assert await renewed.take(1) == [stored.frame]


async def test_a_socket_ends_with_the_last_token_also_if_the_one_before_lasts_longer(
    connect: Connect, alice: str
) -> None:
    """What it was opened with does not count any more."""
    shortened, lasting = await connect(alice), await connect(alice)
    await shortened.socket.send(renewal(token_for(alice, **ALMOST_OVER)))
    assert (await shortened.closed()).code == 4401
    assert lasting.open_still


async def test_the_token_of_another_user_ends_the_socket(connect: Connect, alice: str, bob: str) -> None:
    """4403: a socket never changes its user."""
    client = await connect(alice)
    await client.socket.send(renewal(token_for(bob)))
    assert (await client.closed()).code == 4403


@pytest.mark.parametrize("token", ["a.b.c", "", "x" * 3_000])
async def test_an_invalid_token_ends_the_socket(connect: Connect, alice: str, token: str) -> None:
    """4401, or 4400 if it is none at all; the old one does not save it."""
    client = await connect(alice)
    await client.socket.send(renewal(token))
    assert (await client.closed()).code == (4401 if token else 4400)


BROKEN: dict[str, str | bytes] = {
    "binary": renewal("t").encode(),
    "an empty binary": b"",
    "no JSON": "auth",
    "empty": "",
    "another operation": '{"op":"subscribe","user":"bob"}',
    "no operation": '{"token":"t"}',
    "no token": '{"op":"auth"}',
    "a token that is no text": '{"op":"auth","token":7}',
    "a list": '[{"op":"auth","token":"t"}]',
    "deep": "[" * 2_000 + "]" * 2_000,
    "over 4 KiB": renewal("x" * 4_096),
    "over 64 KiB": renewal("x" * 65_536),
    "over 1 MiB": renewal("x" * 1_048_576),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_anything_else_breaks_the_protocol(connect: Connect, events: Events, alice: str, what: str) -> None:
    """4400, and another device of the same user notices nothing."""
    client, other = await connect(alice), await connect(alice)
    await client.socket.send(BROKEN[what])
    assert (await client.closed()).code == 4400
    [stored] = await events.store(alice)
    assert await other.take(1) == [stored.frame]


async def test_a_message_in_small_parts_is_no_larger_for_that(connect: Connect, alice: str) -> None:
    """4400 as soon as the parts together are over 4 KiB."""
    client = await connect(alice)
    await client.socket.send(["x" * 1_000 for _ in range(5)])
    assert (await client.closed()).code == 4400


RAW: dict[str, bytes] = {
    "no UTF-8": frame_bytes(TEXT, b"\xff\xfe"),
    "an unmasked frame": bytes([0x81, 2]) + b"{}",
    "a reserved opcode": frame_bytes(3, b""),
    "a continuation of nothing": frame_bytes(CONTINUATION, b"{}"),
    "too large": frame_bytes(TEXT, b"x" * 5_000),
}


@pytest.mark.parametrize("what", RAW)
async def test_what_breaks_websocket_breaks_the_protocol(alice: str, what: str, connect_raw: ConnectRaw) -> None:
    """There is one code for that, wherever it was noticed."""
    client = await connect_raw(alice)
    await client.send(RAW[what])
    assert closed_with(4400, await client.read_to_end())


@pytest.mark.parametrize("what", RAW)
async def test_a_client_that_speaks_before_it_is_answered_is_sent_away(
    alice: str, what: str, connect_raw: ConnectRaw
) -> None:
    """Nothing is left of it."""
    client = await connect_raw(alice, early=RAW[what])
    await client.read_to_end()


async def test_a_close_of_the_client_is_answered(connect: Connect, alice: str) -> None:
    """With its own code, as RFC 6455 section 5.5.1 has it."""
    client = await connect(alice)
    await client.socket.close(1000, "done")
    assert (await client.closed()).code == 1000


async def test_a_ping_is_answered(connect: Connect, alice: str) -> None:
    """Browsers send none, but proxies and other clients do."""
    client = await connect(alice)
    await (await client.socket.ping())
