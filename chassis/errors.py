"""Owns the errors that the chassis raises.

ChassisError
├── InvalidToken        a bearer token that cannot be trusted              401 / close 4401
├── BadSecretFile       a `<NAME>_FILE` that cannot be taken for its secret: exit code 2
├── BusUnavailable      NATS cannot be reached or has not answered in time
└── Problem             what an HTTP caller is told (RFC 9457)             its own status
    ├── BadRequest        400
    ├── Unauthorized      401
    ├── Forbidden         403
    ├── NotFound          404
    ├── MethodNotAllowed  405
    ├── Conflict          409
    ├── Gone              410
    ├── TooLarge          413
    ├── Unprocessable     422
    ├── TooManyRequests   429
    └── Unavailable       503
"""

from collections.abc import Collection
from typing import Any, ClassVar


class ChassisError(Exception):
    """Every error raised by the chassis."""


class InvalidToken(ChassisError):
    """A bearer token is missing, malformed, expired, or not signed for us. The text says which."""


class BadSecretFile(ChassisError):
    """A secret's file cannot be read, or stands beside the secret itself. The text names the variable."""


class BusUnavailable(ChassisError):
    """NATS is away or did not answer in time. Whether a message was stored is not known."""


class Problem(ChassisError):
    """An answer of type `application/problem+json`.

    Attributes:
        detail: what was wrong and what to do about it.
        field: the part of the request that was wrong, if it was one.
        extra: further members of the JSON object.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, detail: str, *, field: str | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.extra = extra


class BadRequest(Problem):
    """The request cannot be understood."""

    status = 400
    title = "Bad request"


class Unauthorized(Problem):
    """There is no valid token."""

    status = 401
    title = "Unauthorized"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class Forbidden(Problem):
    """The token is valid but does not allow this."""

    status = 403
    title = "Forbidden"


class NotFound(Problem):
    """There is no such thing, or it is somebody else's."""

    status = 404
    title = "Not found"


class MethodNotAllowed(Problem):
    """The path does not have this method."""

    status = 405
    title = "Method not allowed"

    def __init__(self, allowed: Collection[str]) -> None:
        super().__init__(f"here you can {' or '.join(sorted(allowed))}")


class Conflict(Problem):
    """The request contradicts the present state."""

    status = 409
    title = "Conflict"


class Gone(Problem):
    """It was there once, and will not come back."""

    status = 410
    title = "Gone"


class TooLarge(Problem):
    """The request body is over the limit."""

    status = 413
    title = "Content too large"


class Unprocessable(Problem):
    """The request is understood but a value in it is wrong."""

    status = 422
    title = "Unprocessable content"


class TooManyRequests(Problem):
    """The caller asks more often than one person does; a second later there is a request to be had again."""

    status = 429
    title = "Too many requests"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class Unavailable(Problem):
    """Something that this service depends on is away; the same request may succeed soon."""

    status = 503
    title = "Service unavailable"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}
