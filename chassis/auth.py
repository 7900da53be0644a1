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

REMEMBERED_FOR = 60.0
"""Seconds for which a token that was found to be good is taken at its word: to prove it takes 0.04 ms with a secret,
more with a public key. A key that its issuer withdraws is trusted so much longer; a revocation is heeded at once."""

REMEMBERED_MAX = 10_000
"""Tokens that are remembered, some 10 MB."""


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
        self,
        keys: Keys,
        *,
        audience: str,
        issuer: str,
        leeway: float,
        revocations: Revocations | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._leeway = leeway
        self._revocations = revocations
        self._clock = clock
        self._remembered: dict[str, tuple[Claims, float]] = {}

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
        claims = self._known(token)
        if claims is None:
            claims = await self._proven(token)
            self._remember(token, claims)
        if self._revocations is not None:
            self._revocations.check(claims.subject, claims.issued_at)
        return claims

    def _known(self, token: str) -> Claims | None:
        """What was proven of a token not long ago, unless it has ended since."""
        claims, until = self._remembered.get(token, (None, 0.0))
        return claims if self._clock() < until else None

    def _remember(self, token: str, claims: Claims) -> None:
        self._remembered.pop(token, None)  # it has its place by when it was proven
        if len(self._remembered) >= REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[token] = claims, min(self._clock() + REMEMBERED_FOR, claims.expires_at + self._leeway)

    async def _proven(self, token: str) -> Claims:
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
