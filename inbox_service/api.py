"""Owns the way from HTTP to a call and back. No rule of the domain is decided here."""

import json
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, field_validator

from chassis.edge import CurrentCaller, TheDatabase
from chassis.errors import Forbidden
from chassis.fields import Storable, StorableObject, Text
from chassis.idempotency import IdempotentOnce
from chassis.paging import PAGE, Cursor, Limit
from chassis.problems import refusals
from contracts.events import InboxItem, UserIdText
from inbox_service import items
from inbox_service.errors import UnknownItem

WRITE_SCOPE = "inbox:write"
"""What a token needs to put an item into somebody else's inbox."""

router = APIRouter(prefix="/v1/inbox", tags=["inbox"])


class NewItem(BaseModel):
    """An item from another service."""

    recipient_id: UserIdText
    sender_id: UserIdText | None = None
    kind: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["notice"])
    title: Text = Field(max_length=items.TITLE_MAX)
    body: Storable = Field("", max_length=items.BODY_MAX)
    data: StorableObject = Field(default_factory=dict)

    @field_validator("data")
    @classmethod
    def _not_too_large(cls, data: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(data)) > items.DATA_MAX:
            raise ValueError(f"must be at most {items.DATA_MAX} bytes of JSON")
        return data


class ReadThrough(BaseModel):
    """Up to where everything was read."""

    through: UUID = Field(description="the newest item on the screen; what arrived after it stays unread")


class Updated(BaseModel):
    """How many items changed."""

    updated: int


class UnreadCount(BaseModel):
    """How many items are unread."""

    unread_count: int


@router.get("/items")
async def listed(
    database: TheDatabase,
    caller: CurrentCaller,
    is_read: bool | None = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> items.InboxPage:
    """The caller's items, the newest first."""
    before = items.behind(cursor)
    async with database.reading() as db:
        return await items.listed(db, caller.user_id, is_read=is_read, before=before, limit=limit)


@router.post("/items", status_code=201, response_model=InboxItem, responses=refusals(Forbidden))
async def create(caller: CurrentCaller, once: IdempotentOnce, new: NewItem) -> Response:
    """Put an item into somebody's inbox. Needs the scope `inbox:write`."""
    caller.must_have(WRITE_SCOPE)
    return await once.run(201, lambda db: items.create(db, new.model_dump()), statement=True)


@router.post("/items/read-all", responses=refusals(UnknownItem))
async def read_all(database: TheDatabase, caller: CurrentCaller, bound: ReadThrough) -> Updated:
    """Mark everything up to an item as read."""
    async with database.statement() as db:
        return Updated(updated=await items.mark_all_read(db, caller.user_id, bound.through))


@router.get("/items/{item_id}", responses=refusals(UnknownItem))
async def one(database: TheDatabase, caller: CurrentCaller, item_id: UUID) -> InboxItem:
    """One item."""
    async with database.reading() as db:
        return await items.one(db, caller.user_id, item_id)


@router.post("/items/{item_id}/read", responses=refusals(UnknownItem))
async def read(database: TheDatabase, caller: CurrentCaller, item_id: UUID) -> InboxItem:
    """Mark an item as read; twice is as good as once."""
    async with database.statement() as db:
        return await items.mark_read(db, caller.user_id, item_id)


@router.delete("/items/{item_id}", status_code=204, responses=refusals(UnknownItem))
async def remove(database: TheDatabase, caller: CurrentCaller, item_id: UUID) -> Response:
    """Remove an item for good."""
    async with database.statement() as db:
        await items.remove(db, caller.user_id, item_id)
    return Response(status_code=204)


@router.get("/unread-count")
async def unread_count(database: TheDatabase, caller: CurrentCaller) -> UnreadCount:
    """How many of the caller's items are unread."""
    async with database.reading() as db:
        return UnreadCount(unread_count=await items.unread_count(db, caller.user_id))
