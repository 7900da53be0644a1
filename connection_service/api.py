"""Owns the way from HTTP to a call and back. No rule of the domain is decided here."""

import functools
from typing import Annotated
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, BaseModel, Field

from chassis.edge import CurrentCaller, Now, TheDatabase
from chassis.fields import Text
from chassis.idempotency import IdempotentOnce
from chassis.paging import PAGE, Cursor, Limit, Page
from chassis.problems import refusals
from chassis.revocations import Revocations
from connection_service import daily, partnerships, views
from connection_service.errors import (
    AlreadyAnswered,
    AlreadyPartnered,
    InviteSpent,
    NoPartnership,
    PartnershipEnded,
    UnknownConnection,
    UnknownInvite,
)
from contracts import events
from contracts.revocations import revocation
from contracts.subjects import user_id

ANSWER_MAX = 4_000
"""Characters of an answer: some two pages; what is longer is a letter."""

TIME_ZONE = "time-zone"
"""What the document calls the format: a list of some 600 names would hide the rest of it."""

router = APIRouter(prefix="/v1")


@functools.cache
def _time_zones() -> frozenset[str]:
    """Looked up once: it opens some 600 files."""
    return frozenset(available_timezones())


def _known_time_zone(name: str) -> str:
    if name not in _time_zones():
        raise ValueError("use a name of the IANA time zone database, for example Europe/Berlin")
    return name


class NewInvite(BaseModel):
    """What an invite may say."""

    time_zone: Annotated[str, AfterValidator(_known_time_zone)] = Field(
        "UTC",
        description="in which the partnership's day turns at midnight; it stays for good",
        json_schema_extra={"format": TIME_ZONE},
    )


class InviteCode(BaseModel):
    """A code as the partner types it."""

    code: Text = Field(max_length=32)


class NewAnswer(BaseModel):
    """An answer to a daily question."""

    text: Text = Field(max_length=ANSWER_MAX)


async def _catalogue(request: Request) -> daily.Catalogue:
    catalogue: daily.Catalogue = request.app.state.catalogue
    return catalogue


async def _revocations(request: Request) -> Revocations:
    revocations: Revocations = request.app.state.revocations
    return revocations


Catalogue = Annotated[daily.Catalogue, Depends(_catalogue)]


@router.post(
    "/partnership/invites",
    status_code=201,
    response_model=views.Invite,
    responses=refusals(AlreadyPartnered),
    tags=["partnership"],
)
async def invite(caller: CurrentCaller, now: Now, once: IdempotentOnce, wish: NewInvite | None = None) -> Response:
    """Make a code that works once and for seven days."""
    zone = (wish or NewInvite()).time_zone
    return await once.run(201, lambda db: partnerships.invite(db, caller.user_id, time_zone=zone, now=now))


@router.post(
    "/partnership/accept",
    status_code=201,
    response_model=events.Partnership,
    responses=refusals(UnknownInvite, AlreadyPartnered, InviteSpent),
    tags=["partnership"],
)
async def accept(caller: CurrentCaller, now: Now, once: IdempotentOnce, invite: InviteCode) -> Response:
    """Become the partner of whoever made the code."""
    code = invite.code.upper()
    return await once.run(201, lambda db: partnerships.accept(db, caller.user_id, code, now=now))


@router.get("/partnership", responses=refusals(NoPartnership), tags=["partnership"])
async def partnership(database: TheDatabase, caller: CurrentCaller) -> events.Partnership:
    """The caller's partnership."""
    async with database.reading() as db:
        return await partnerships.current(db, caller.user_id)


@router.delete("/partnership", status_code=204, responses=refusals(NoPartnership), tags=["partnership"])
async def end_partnership(database: TheDatabase, caller: CurrentCaller, now: Now) -> Response:
    """End it, for both. The history stays readable."""
    async with database.transaction() as db:
        await partnerships.end(db, caller.user_id, now=now)
    return Response(status_code=204)


@router.get("/daily-connections", tags=["daily"])
async def history(
    database: TheDatabase, caller: CurrentCaller, cursor: Cursor = None, limit: Limit = PAGE
) -> Page[events.DailyConnection]:
    """All questions of all partnerships of the caller, the latest first."""
    before = daily.behind(cursor)
    async with database.reading() as db:
        return await daily.history(db, caller.user_id, before=before, limit=limit)


@router.get("/daily-connections/today", responses=refusals(NoPartnership), tags=["daily"])
async def today(database: TheDatabase, caller: CurrentCaller, catalogue: Catalogue, now: Now) -> events.DailyConnection:
    """Today's question, with the answers given so far."""
    async with database.transaction() as db:
        return await daily.today(db, caller.user_id, catalogue, now=now)


@router.post(
    "/daily-connections/{connection_id}/answers",
    status_code=201,
    response_model=events.Answer,
    responses=refusals(UnknownConnection, AlreadyAnswered, PartnershipEnded),
    tags=["daily"],
)
async def answer(caller: CurrentCaller, once: IdempotentOnce, connection_id: UUID, new: NewAnswer) -> Response:
    """Answer a question, once."""
    return await once.run(201, lambda db: daily.answer(db, caller.user_id, connection_id, new.text), statement=True)


@router.get("/suggestions", tags=["daily"])
async def suggestions(
    database: TheDatabase,
    caller: CurrentCaller,
    catalogue: Catalogue,
    now: Now,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> Page[events.DailyConnection]:
    """Open questions that the caller has not answered yet, the latest first."""
    before = daily.behind(cursor)
    async with database.transaction() as db:
        return await daily.suggestions(db, caller.user_id, catalogue, before=before, limit=limit, now=now)


@router.post("/sessions/revoke", status_code=204, tags=["sessions"])
async def revoke(
    caller: CurrentCaller, now: Now, revocations: Annotated[Revocations, Depends(_revocations)]
) -> Response:
    """Sign out everywhere: no token of the caller's that was issued until now is good any longer, this one neither."""
    await revocations.say(*revocation(user_id(caller.user_id), before=now.timestamp()))
    return Response(status_code=204)
