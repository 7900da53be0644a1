"""Owns `POST /dev/token`: tokens for development, for whoever asks. Never attached outside of it."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from chassis.auth import issue_token
from chassis.settings import AuthSettings

TTL_MAX = 30 * 24 * 3600
"""Seconds that a development token is valid at most."""


class TokenWish(BaseModel):
    """Whom to be, with which scopes, for how many seconds."""

    user_id: str = Field(min_length=1, max_length=64)
    scope: str = ""
    ttl: float = Field(3600, gt=0, le=TTL_MAX)


class Token(BaseModel):
    """A bearer token."""

    token: str


def dev_tokens(settings: AuthSettings) -> APIRouter:
    """The route. The caller has checked that this is development."""
    assert settings.dev, "development tokens are for development"
    router = APIRouter(tags=["development"])

    @router.post("/dev/token")
    async def token(wish: TokenWish) -> Token:
        return Token(token=issue_token(settings, wish.user_id, scope=wish.scope, ttl=wish.ttl))

    return router
