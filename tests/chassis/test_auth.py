"""Which tokens are taken, and which are not."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chassis import auth as module
from chassis.auth import MAX_TOKEN_BYTES, REMEMBERED_FOR, Authenticator, issue_token
from chassis.errors import InvalidToken
from chassis.keys import Algorithm, OneKey
from chassis.settings import AuthSettings

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = Ed25519PrivateKey.generate()


def pem_of(key: PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token says; a claim that is changed to None is left out."""
    good = {"sub": "alice", "aud": "tandem", "iss": "tandem", "exp": time.time() + 60} | changed
    return {name: value for name, value in good.items() if value is not None}


def encoded(part: bytes | dict[str, Any]) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed_by_hand(header: dict[str, Any], payload: dict[str, Any], secret: str) -> str:
    """A token as no library would make it."""
    signed = f"{encoded(header)}.{encoded(payload)}"
    return f"{signed}.{encoded(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


async def test_a_good_token_says_who_calls_with_which_scopes_until_when(auth: AuthSettings) -> None:
    """The scopes are the words of `scope`."""
    token = issue_token(auth, "alice", scope="inbox:write other", ttl=60, now=lambda: time.time() + 0.5)
    said = await Authenticator.of(auth).check(token)
    assert (said.subject, said.scopes) == ("alice", frozenset({"inbox:write", "other"}))
    assert said.expires_at > time.time()


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (P256, "ES256"), (ED25519, "EdDSA")])
async def test_a_token_signed_with_the_key_that_belongs_to_the_public_one_is_good(
    key: PrivateKey, algorithm: str
) -> None:
    """And one that somebody else's key of the same kind signed is not."""
    authenticator = Authenticator.of(AuthSettings(public_key=pem_of(key)))
    assert (await authenticator.check(jwt.encode(claims(), key, algorithm))).subject == "alice"
    others: dict[str, PrivateKey] = {
        "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": Ed25519PrivateKey.generate(),
    }
    with pytest.raises(InvalidToken, match="Signature verification failed"):
        await authenticator.check(jwt.encode(claims(), others[algorithm], algorithm))


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "somebody-else"},
        {"aud": ["somebody-else", "another"]},
        {"iss": "somebody-else"},
        {"exp": 0},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"nbf": 4_000_000_000},
        {"sub": 7},
        {"sub": ["alice"]},
        {"exp": None},
        {"sub": None},
        {"aud": None},
        {"iss": None},
    ],
)
async def test_a_claim_that_is_wrong_or_missing_is_refused(auth: AuthSettings, changed: dict[str, Any]) -> None:
    """However well the token is signed."""
    assert auth.secret is not None
    token = signed_by_hand({"alg": "HS256", "typ": "JWT"}, claims(**changed), auth.secret)
    with pytest.raises(InvalidToken):
        await Authenticator.of(auth).check(token)


async def test_a_token_made_by_hand_is_good_when_nothing_is_wrong_with_it(auth: AuthSettings) -> None:
    """The twin of what is refused here: it is not the hand that is refused."""
    assert auth.secret is not None
    header = {"alg": "HS256", "typ": "JWT", "kid": "any"}
    token = signed_by_hand(header, claims(aud=["tandem", "somebody-else"], scope=7), auth.secret)
    said = await Authenticator.of(auth).check(token)
    assert (said.subject, said.scopes) == ("alice", frozenset())


async def test_clocks_may_differ_by_the_leeway_and_no_more(auth: AuthSettings) -> None:
    """A token that ended a moment ago is still good."""
    authenticator = Authenticator.of(auth.model_copy(update={"leeway": 30}))
    await authenticator.check(issue_token(auth, "alice", ttl=-10))
    with pytest.raises(InvalidToken, match="expired"):
        await authenticator.check(issue_token(auth, "alice", ttl=-60))


@pytest.mark.parametrize("algorithm", ["none", "None", "", "HS384", "RS256", 7, {"alg": "HS256"}, None])
async def test_the_token_does_not_choose_the_algorithm(auth: AuthSettings, algorithm: object) -> None:
    """Neither none at all nor another one, whether it is signed or not."""
    assert auth.secret is not None
    header = {"alg": algorithm, "typ": "JWT"}
    for token in (signed_by_hand(header, claims(), auth.secret), f"{encoded(header)}.{encoded(claims())}."):
        with pytest.raises(InvalidToken):
            await Authenticator.of(auth).check(token)


@pytest.mark.parametrize("key", [RSA, P256, ED25519])
async def test_a_public_key_is_not_a_secret_to_sign_with(key: PrivateKey) -> None:
    """Everybody knows it: HS256 with its PEM as the secret is the oldest trick."""
    pem = pem_of(key)
    token = signed_by_hand({"alg": "HS256", "typ": "JWT"}, claims(), pem)
    with pytest.raises(InvalidToken, match="alg value is not allowed"):
        await Authenticator.of(AuthSettings(public_key=pem)).check(token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "a.b",
        "a.b.c",
        "....",
        "\u2603.\u2603.\u2603",
        "\ud800",
        f"{encoded(b'[]')}.{encoded(claims())}.",
        f"{encoded(b'[' * 5_000)}.{encoded(claims())}.",
        f"{encoded({'alg': 'HS256', 'kid': 7})}.{encoded(claims())}.",
        f"{encoded({'alg': 'HS256', 'kid': ['a']})}.{encoded(claims())}.",
        f"{encoded({'alg': 'HS256', 'crit': ['x'], 'x': 1})}.{encoded(claims())}.",
        f"{encoded({'alg': 'HS256', 'b64': False})}..",
    ],
)
async def test_what_is_no_token_is_refused_like_a_bad_one(auth: AuthSettings, token: str) -> None:
    """With the one error that callers know how to answer."""
    with pytest.raises(InvalidToken):
        await Authenticator.of(auth).check(token)


async def test_a_token_over_the_limit_is_refused_unread(auth: AuthSettings) -> None:
    """One just below it is read."""
    authenticator = Authenticator.of(auth)
    spare = MAX_TOKEN_BYTES - len(issue_token(auth, "alice"))
    await authenticator.check(issue_token(auth, "alice", scope="s" * (spare * 3 // 4 - 2)))
    with pytest.raises(InvalidToken, match=f"over {MAX_TOKEN_BYTES} bytes"):
        await authenticator.check(issue_token(auth, "alice", scope="s" * spare))


class AskedKey(OneKey):
    """A key that counts how often it is needed."""

    asked = 0

    async def find(self, token: str) -> tuple[Any, tuple[Algorithm, ...]]:
        self.asked += 1
        return await super().find(token)


@pytest.fixture
def key(auth: AuthSettings) -> AskedKey:
    return AskedKey(auth.secret, ("HS256",))


@pytest.fixture
def times() -> list[float]:
    """The clock by which tokens are remembered: the last entry is what time it is."""
    return [time.time()]


@pytest.fixture
def remembering(key: AskedKey, times: list[float]) -> Authenticator:
    return Authenticator(key, audience="tandem", issuer="tandem", leeway=10, clock=lambda: times[-1])


async def test_a_good_token_is_proven_once_in_a_while(
    auth: AuthSettings, remembering: Authenticator, key: AskedKey, times: list[float]
) -> None:
    """What it says is the same each time."""
    token = issue_token(auth, "alice", scope="inbox:write")
    said = await remembering.check(token)
    times.append(times[0] + REMEMBERED_FOR - 0.001)
    assert (await remembering.check(token), key.asked) == (said, 1)
    times.append(times[0] + REMEMBERED_FOR)
    assert (await remembering.check(token), key.asked) == (said, 2)


async def test_a_token_is_remembered_no_longer_than_it_is_good(
    auth: AuthSettings, remembering: Authenticator, key: AskedKey, times: list[float]
) -> None:
    """By the leeway longer than it says, as always."""
    token = issue_token(auth, "alice", ttl=20, now=lambda: times[0])
    for seconds, proven in ((29.999, 1), (30.001, 2)):
        await remembering.check(token)
        times.append(times[0] + seconds)
        await remembering.check(token)
        assert key.asked == proven


async def test_a_token_that_was_refused_is_not_remembered(
    auth: AuthSettings, remembering: Authenticator, key: AskedKey
) -> None:
    """Nor one that differs from a good one in a letter."""
    good = issue_token(auth, "alice")
    await remembering.check(good)
    for _ in range(2):
        with pytest.raises(InvalidToken):
            await remembering.check(good[:-4] + "AAAA")
    assert key.asked == 3


async def test_no_more_tokens_are_remembered_than_there_is_room_for(
    auth: AuthSettings, remembering: Authenticator, key: AskedKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was proven first goes first."""
    monkeypatch.setattr(module, "REMEMBERED_MAX", 2)
    tokens = [issue_token(auth, user) for user in ("alice", "bob", "carol")]
    for token in tokens:
        await remembering.check(token)
    for number, asked in ((2, 3), (1, 3), (0, 4), (2, 4), (1, 5)):
        await remembering.check(tokens[number])
        assert key.asked == asked
