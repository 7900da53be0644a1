"""Owns bearer tokens: checking them, and making them for development."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import jwt

from chassis.errors import InvalidToken
from chassis.keys import Keys, KeySet, OneKey, read_public_key
from chassis.revocations import Revocations
from chassis.settings import AuthSettings

MAX_TOKEN_BYTES = 8 * 1024
"""Longer than any token in practice (RS256 with a few dozen claims is under 2 KiB), short enough to hash at once."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says.

    Attributes:
        subject: the caller, `sub`; not yet checked for being a user id.
        scopes: the words of `scope` (RFC 8693 section 4.2).
        expires_at: `exp`, seconds since the Unix epoch.
        issued_at: `iat`, likewise; None if the token does not say.
    """

    subject: str
    scopes: frozenset[str]
    expires_at: float
    issued_at: float | None = None


class Authenticator:
    """Checks bearer tokens (RFC 7519, RFC 8725): signature, allowed algorithm, `exp`, `aud`, `iss` and `sub`; and that
    they are not revoked, where `revocations` are given."""

    def __init__(
        self, keys: Keys, *, audience: str, issuer: str, leeway: float, revocations: Revocations | None = None
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._leeway = leeway
        self._revocations = revocations

    @classmethod
    def of(cls, settings: AuthSettings, revocations: Revocations | None = None) -> "Authenticator":
        return cls(
            _keys(settings),
            audience=settings.audience,
            issuer=settings.issuer,
            leeway=settings.leeway,
            revocations=revocations,
        )

    @property
    def ready(self) -> bool:
        """Whether tokens can be checked: what is revoked is known."""
        return self._revocations is None or self._revocations.known

    async def check(self, token: str) -> Claims:
        """Return what `token` says.

        Raises:
            InvalidToken: it is malformed, expired, revoked, or not signed for us by our issuer.
            BusUnavailable: it is not known yet which tokens were revoked.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidToken(f"the token is over {MAX_TOKEN_BYTES} bytes")
        if not token.isascii():
            raise InvalidToken("a token is made of ASCII characters")
        try:
            key, algorithms = await self._keys.find(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=list(algorithms),
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway,
                options={"require": ["exp", "aud", "iss", "sub"]},
            )
            expires_at = float(claims["exp"])
            issued_at = float(claims["iat"]) if "iat" in claims else None
        except (jwt.PyJWTError, OverflowError) as error:
            raise InvalidToken(f"the token is refused: {error}") from error
        if self._revocations is not None:
            self._revocations.check(claims["sub"], issued_at)
        scope = claims.get("scope", "")
        scopes = frozenset(scope.split() if isinstance(scope, str) else ())
        return Claims(claims["sub"], scopes, expires_at, issued_at)


def _keys(settings: AuthSettings) -> Keys:
    if settings.secret is not None:
        return OneKey(settings.secret, ("HS256",))
    if settings.public_key is not None:
        return read_public_key(settings.public_key)
    assert settings.jwks_url is not None, "AuthSettings has checked that one of the three is set"
    return KeySet(settings.jwks_url)


def issue_token(
    settings: AuthSettings,
    subject: str,
    *,
    scope: str = "",
    ttl: float = 3600,
    now: Callable[[], float] = time.time,
) -> str:
    """Sign a token that is valid for `ttl` seconds. For development and tests only: it needs the shared secret."""
    assert settings.secret is not None, "only HS256 tokens are made here"
    claims = {
        "sub": subject,
        "aud": settings.audience,
        "iss": settings.issuer,
        "exp": now() + ttl,
        "iat": now(),
        "scope": scope,
    }
    return jwt.encode(claims, settings.secret, algorithm="HS256")
