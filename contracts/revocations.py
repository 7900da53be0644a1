"""Owns revocations: that all tokens of a user which were issued before a moment are good no longer."""

from pydantic import Field

from contracts.events import Contract
from contracts.subjects import UserId, revocation_subject, revoked_user


class Revocation(Contract):
    """Every token of the user in the subject that was issued before this moment is refused."""

    before: float = Field(
        ge=0, allow_inf_nan=False, description="seconds since the Unix epoch, to be compared with `iat`"
    )


def revocation(user: UserId, *, before: float) -> tuple[str, bytes]:
    """The subject and the body of a message that revokes what `user` was given before a moment."""
    return revocation_subject(user), Revocation(before=before).model_dump_json().encode()


def read_revocation(subject: str, body: bytes) -> tuple[UserId, float]:
    """Whose tokens a message revokes, and before which moment they were issued.

    Raises:
        ValueError: it is no revocation.
    """
    return revoked_user(subject), Revocation.model_validate_json(body).before
