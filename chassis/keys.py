"""Owns where verification keys come from: one configured key, or a key set fetched from a URL."""

import asyncio
import contextlib
import http.client
import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any, Literal, Protocol

import jwt
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from chassis.errors import InvalidToken

Algorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]

log = structlog.get_logger(__name__)

FETCH_TIMEOUT = 5.0
"""Seconds for one fetch of the key set; a handshake waits for it at most once."""

FETCH_COOLDOWN = 30.0
"""Seconds between fetches, so that tokens with made-up key ids cannot flood the issuer."""

FETCH_MAX_BYTES = 256 * 1024
"""A key set has a few keys of about 1 KiB; more than this is not one."""


class Keys(Protocol):
    """Finds the key, and the only algorithms that may be used with it."""

    async def find(self, token: str) -> tuple[Any, tuple[Algorithm, ...]]:
        """The key for a token; nothing that the token says is proven yet.

        Raises:
            InvalidToken: there is no such key.
            PyJWTError: the token's header cannot be read.
        """
        ...


class OneKey:
    """A configured secret or public key, whatever key id a token names."""

    def __init__(self, key: Any, algorithms: tuple[Algorithm, ...]) -> None:
        self._found = key, algorithms

    async def find(self, token: str) -> tuple[Any, tuple[Algorithm, ...]]:  # noqa: ARG002
        return self._found


class KeySet:
    """The keys behind a JWKS URL (RFC 7517).

    A `kid` only ever selects among the fetched keys. A failed fetch keeps the keys that are known, and an unknown
    `kid` fetches again, at most once every `FETCH_COOLDOWN` seconds.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: dict[str | None, tuple[Any, tuple[Algorithm, ...]]] = {}
        self._fetched_at: float | None = None
        self._fetching = asyncio.Lock()

    async def find(self, token: str) -> tuple[Any, tuple[Algorithm, ...]]:
        key_id = jwt.get_unverified_header(token).get("kid")
        if key_id not in self._keys:
            async with self._fetching:
                if key_id not in self._keys and self._may_fetch():
                    await self._fetch()
        if key_id not in self._keys:
            raise InvalidToken("the token's key id is not in the issuer's key set")
        return self._keys[key_id]

    def _may_fetch(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at >= FETCH_COOLDOWN

    async def _fetch(self) -> None:
        try:
            self._keys = _usable(json.loads(await asyncio.to_thread(_download, self._url)))
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            log.warning("the key set cannot be fetched; known keys stay valid", url=self._url, error=repr(error))
        self._fetched_at = self._clock()


def _download(url: str) -> str:
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT) as response:  # noqa: S310 - settings allow http(s) only
        body: bytes = response.read(FETCH_MAX_BYTES + 1)
    if len(body) > FETCH_MAX_BYTES:
        raise ValueError(f"the key set is over {FETCH_MAX_BYTES} bytes")
    return body.decode()


def _usable(document: Any) -> dict[str | None, tuple[Any, tuple[Algorithm, ...]]]:
    """The keys of a set by their ids; what we cannot use may stand among them (RFC 7517 section 5)."""
    members = document.get("keys") if isinstance(document, dict) else None
    usable = {}
    for member in members if isinstance(members, list) else []:
        with contextlib.suppress(jwt.PyJWTError, ValueError, TypeError, AttributeError):
            key = jwt.PyJWK(member)
            usable[key.key_id] = key.key, algorithms_for(key.key)
    if not usable:
        raise ValueError("there is no key in it that can be used here")
    return usable


def algorithms_for(key: object) -> tuple[Algorithm, ...]:
    """The one algorithm that fits a public key. A token never chooses its own (RFC 8725 section 3.1)."""
    match key:
        case RSAPublicKey():
            return ("RS256",)
        case EllipticCurvePublicKey() if key.curve.name == "secp256r1":
            return ("ES256",)
        case Ed25519PublicKey():
            return ("EdDSA",)
    raise ValueError("use an RSA, P-256 or Ed25519 public key")


def read_public_key(pem: str) -> OneKey:
    """The public key in `pem`.

    Raises:
        ValueError: it cannot be read, or is of a kind that is not supported.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    return OneKey(key, algorithms_for(key))
