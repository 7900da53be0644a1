"""Owns what the mirror reads from the environment, besides `NATS_*` and `LOG_*`."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import CommaSeparated


class Settings(BaseSettings):
    """`MIRROR_*`. An empty value is one: an empty prefix gives the frontends' users the frames."""

    model_config = SettingsConfigDict(env_prefix="MIRROR_", extra="ignore")

    redis_url: str = Field(
        pattern=r"^rediss?://[^/]", description="the old system's: redis://[user:password@]host[:port][/database]"
    )
    user_prefix: str = Field(
        "mirror-", pattern=r"^[A-Za-z0-9_-]{0,32}$", description="stands before the id of each user of the old system"
    )
    old_url: str = Field(
        "ws://127.0.0.1:8000/ws/?token={token}",
        pattern=r"^wss?://",
        description="the old system's WebSocket; {token} is replaced by a user's",
    )
    new_url: str = Field("ws://127.0.0.1:8003/v1/push", pattern=r"^wss?://", description="the gateway's WebSocket")
    ignored: CommaSeparated = Field(
        ("connected",),
        description="comma-separated: frames of the old side that are no events; empty: it greets nobody",
    )

    @field_validator("ignored", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part) if isinstance(value, str) else value
