"""A key set that an issuer serves, changes, and sometimes does not serve."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from chassis.auth import Authenticator
from chassis.errors import InvalidToken
from chassis.keys import FETCH_COOLDOWN, FETCH_MAX_BYTES, KeySet
from chassis.settings import AuthSettings
from devstack.ports import HOST, free_port

FIRST, SECOND = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def member(key: Ed25519PrivateKey, key_id: str) -> dict[str, Any]:
    return {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id}


def token(key: Ed25519PrivateKey, key_id: str | None) -> str:
    claims = {"sub": "alice", "aud": "tandem", "iss": "tandem", "exp": time.time() + 60}
    return jwt.encode(claims, key, "EdDSA", headers={"kid": key_id} if key_id is not None else None)


class Issuer:
    """Serves a key set over HTTP, and counts how often it is asked."""

    def __init__(self) -> None:
        self.answer = b""
        self.asked = 0
        self.port = free_port()

    def serve(self, *keys: dict[str, Any]) -> None:
        self.say(json.dumps({"keys": keys}).encode())

    def say(self, body: bytes, status: str = "200 OK") -> None:
        self.answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._answer, HOST, self.port):
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        with contextlib.closing(writer):
            writer.write(self.answer)
            with contextlib.suppress(ConnectionError):  # it may have read enough
                await writer.drain()


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An issuer with one key, `first`."""
    one = Issuer()
    one.serve(member(FIRST, "first"))
    async with one.running():
        yield one


@pytest.fixture
def times() -> list[float]:
    """The clock: the last entry is what time it is."""
    return [1000.0]


def authenticator(issuer: Issuer, times: list[float]) -> Authenticator:
    keys = KeySet(f"http://{HOST}:{issuer.port}/jwks", clock=lambda: times[-1])
    return Authenticator(keys, audience="tandem", issuer="tandem", leeway=0)


async def test_the_set_is_fetched_once_for_all_tokens_with_a_known_key(issuer: Issuer, times: list[float]) -> None:
    """Also for those that come while it is being fetched."""
    checking = authenticator(issuer, times)
    said = await asyncio.gather(*(checking.check(token(FIRST, "first")) for _ in range(10)))
    assert {each.subject for each in said} == {"alice"}
    assert issuer.asked == 1


async def test_the_setting_is_enough_to_check_against_a_set(issuer: Issuer) -> None:
    """AUTH_JWKS_URL names it."""
    checking = Authenticator.of(AuthSettings(jwks_url=f"http://{HOST}:{issuer.port}/jwks"))
    assert (await checking.check(token(FIRST, "first"))).subject == "alice"


async def test_a_new_key_is_found_by_its_first_token(issuer: Issuer, times: list[float]) -> None:
    """And the old one is good for as long as the issuer serves it."""
    checking = authenticator(issuer, times)
    await checking.check(token(FIRST, "first"))
    times.append(times[-1] + FETCH_COOLDOWN)
    issuer.serve(member(FIRST, "first"), member(SECOND, "second"))
    await checking.check(token(SECOND, "second"))
    await checking.check(token(FIRST, "first"))
    times.append(times[-1] + FETCH_COOLDOWN)
    issuer.serve(member(SECOND, "second"), member(SECOND, "third"))
    await checking.check(token(SECOND, "third"))
    with pytest.raises(InvalidToken, match="key id is not in"):
        await checking.check(token(FIRST, "first"))
    assert issuer.asked == 3


async def test_an_unknown_key_id_asks_the_issuer_at_most_once_in_a_cooldown(issuer: Issuer, times: list[float]) -> None:
    """Who makes key ids up cannot flood the issuer, nor keep the others out."""
    checking = authenticator(issuer, times)
    for number in range(5):
        with pytest.raises(InvalidToken, match="key id is not in"):
            await checking.check(token(SECOND, f"made up {number}"))
        await checking.check(token(FIRST, "first"))
    assert issuer.asked == 1
    times.append(times[-1] + FETCH_COOLDOWN - 1)
    with pytest.raises(InvalidToken):
        await checking.check(token(SECOND, "made up"))
    assert issuer.asked == 1
    times.append(times[-1] + 1)
    with pytest.raises(InvalidToken):
        await checking.check(token(SECOND, "made up"))
    assert issuer.asked == 2


async def test_a_key_id_only_selects_among_the_keys(issuer: Issuer, times: list[float]) -> None:
    """Another key under a known id is refused, and a token without an id has no key."""
    checking = authenticator(issuer, times)
    with pytest.raises(InvalidToken, match="Signature verification failed"):
        await checking.check(token(SECOND, "first"))
    with pytest.raises(InvalidToken, match="key id is not in"):
        await checking.check(token(FIRST, None))


async def test_known_keys_stay_good_while_the_issuer_is_away(times: list[float]) -> None:
    """And new ones are found when it is back."""
    issuer = Issuer()
    issuer.serve(member(FIRST, "first"))
    checking = authenticator(issuer, times)
    async with issuer.running():
        await checking.check(token(FIRST, "first"))
    times.append(times[-1] + FETCH_COOLDOWN)
    with pytest.raises(InvalidToken):
        await checking.check(token(SECOND, "second"))
    await checking.check(token(FIRST, "first"))
    times.append(times[-1] + FETCH_COOLDOWN)
    issuer.serve(member(SECOND, "second"))
    async with issuer.running():
        await checking.check(token(SECOND, "second"))


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"\xff", b"[]", b"7", b'{"keys": 7}', b'{"keys": []}', b'{"keys": [7, {}]}', b"[" * 9999]
)
async def test_an_answer_that_is_no_key_set_is_an_outage(issuer: Issuer, times: list[float], body: bytes) -> None:
    """What the issuer says by mistake must not put everybody out."""
    checking = authenticator(issuer, times)
    await checking.check(token(FIRST, "first"))
    times.append(times[-1] + FETCH_COOLDOWN)
    issuer.say(body)
    with pytest.raises(InvalidToken, match="key id is not in"):
        await checking.check(token(SECOND, "second"))
    await checking.check(token(FIRST, "first"))
    assert issuer.asked == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (FETCH_MAX_BYTES + 1),
        b"",
    ],
)
async def test_a_broken_answer_is_an_outage(issuer: Issuer, times: list[float], answer: bytes) -> None:
    """An error, too much, too little, or not even HTTP."""
    checking = authenticator(issuer, times)
    await checking.check(token(FIRST, "first"))
    times.append(times[-1] + FETCH_COOLDOWN)
    issuer.answer = answer
    with pytest.raises(InvalidToken, match="key id is not in"):
        await checking.check(token(SECOND, "second"))
    await checking.check(token(FIRST, "first"))


async def test_keys_that_cannot_be_used_do_not_spoil_those_that_can(issuer: Issuer, times: list[float]) -> None:
    """An issuer serves keys for others too: of other kinds, and some that nobody has thought of yet."""
    issuer.serve(
        {**ECAlgorithm.to_jwk(generate_private_key(SECP384R1()).public_key(), as_dict=True), "kid": "p384"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {"kty": "newest", "kid": "newest"},
        {"kid": "nothing"},
        member(FIRST, "first"),
    )
    checking = authenticator(issuer, times)
    await checking.check(token(FIRST, "first"))
    claims = {"sub": "alice", "aud": "tandem", "iss": "tandem", "exp": time.time() + 60}
    shared = jwt.encode(claims, "secret".ljust(32, "t"), "HS256", headers={"kid": "shared"})
    with pytest.raises(InvalidToken, match="key id is not in"):
        await checking.check(shared)


async def test_a_set_may_mix_the_kinds_and_each_key_has_its_own_algorithm(issuer: Issuer, times: list[float]) -> None:
    """RS256, ES256 and EdDSA, whatever `alg` the set or the token claims."""
    rsa, p256 = generate_rsa(public_exponent=65537, key_size=2048), generate_private_key(SECP256R1())
    issuer.serve(
        member(FIRST, "first"),
        {**RSAAlgorithm.to_jwk(rsa.public_key(), as_dict=True), "kid": "rsa"},
        {**ECAlgorithm.to_jwk(p256.public_key(), as_dict=True), "kid": "p256"},
    )
    checking = authenticator(issuer, times)
    claims = {"sub": "alice", "aud": "tandem", "iss": "tandem", "exp": time.time() + 60}
    await checking.check(jwt.encode(claims, rsa, "RS256", headers={"kid": "rsa"}))
    await checking.check(jwt.encode(claims, p256, "ES256", headers={"kid": "p256"}))
    with pytest.raises(InvalidToken, match="alg value is not allowed"):
        await checking.check(jwt.encode(claims, rsa, "RS512", headers={"kid": "rsa"}))
    with pytest.raises(InvalidToken, match="alg value is not allowed"):
        await checking.check(jwt.encode(claims, rsa, "PS256", headers={"kid": "rsa"}))
