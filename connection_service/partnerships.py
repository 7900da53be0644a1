"""Owns the rules of partnerships: how two people become partners, and how that ends."""

import datetime as dt
import secrets

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from connection_service import queries, views
from connection_service.errors import AlreadyPartnered, InviteSpent, NoPartnership, OwnInvite, UnknownInvite
from contracts import events

CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without I, L, O, 0 and 1, which are mistaken for one another when read out."""

CODE_LENGTH = 10
"""31^10 is about 2^49.5: with a million open invites a guess is right once in 800 million."""

INVITE_LIFETIME = dt.timedelta(days=7)
"""Long enough for a partner who is away for a while; a forgotten code is worth nothing later."""


async def invite(db: AsyncConnection, user: str, *, time_zone: str, now: dt.datetime) -> views.Invite:
    """Make a code for the partner of `user`."""
    if await queries.partnership_of(db, user) is not None:
        raise AlreadyPartnered("you have")
    code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
    return views.invite(
        await queries.create_invite(db, code, user, time_zone=time_zone, expires_at=now + INVITE_LIFETIME)
    )


async def accept(db: AsyncConnection, user: str, code: str, *, now: dt.datetime) -> events.Partnership:
    """Make `user` the partner of whoever made `code`."""
    row = await queries.hold_invite(db, code)
    if row is None:
        raise UnknownInvite
    if row.inviter_id == user:
        raise OwnInvite
    if row.accepted_at is not None or row.expires_at <= now:
        raise InviteSpent
    taken = await queries.partnered(db, (user, row.inviter_id))
    if taken:
        raise AlreadyPartnered("you have" if user in taken else "whoever invited you has")
    try:
        partnership = await queries.create_partnership(db, (row.inviter_id, user), time_zone=row.time_zone, now=now)
    except IntegrityError as error:  # two codes accepted in the same instant; the index decides
        raise AlreadyPartnered("one of you has") from error
    await queries.spend_invite(db, code, now=now)
    return views.partnership(partnership, sorted((row.inviter_id, user)))


async def current(db: AsyncConnection, user: str) -> events.Partnership:
    """The partnership that `user` is in."""
    row = await queries.partnership_of(db, user)
    if row is None:
        raise NoPartnership
    return views.partnership(row, await queries.members_of(db, row.id))


async def end(db: AsyncConnection, user: str, *, now: dt.datetime) -> None:
    """End the partnership of `user`, for both. What was asked and answered stays readable."""
    row = await queries.partnership_of(db, user)
    if row is None:
        raise NoPartnership
    await queries.end_partnership(db, row.id, now=now)
