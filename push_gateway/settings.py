"""Owns what the gateway reads from the environment, and with that its limits."""

from pydantic import Field

from chassis.settings import EdgeSettings, Port
from push_gateway.session import UNSENT_MAX


class Settings(EdgeSettings):
    """`HOST`, `ALLOWED_ORIGINS`, `PUSH_*`."""

    port: Port = Field(8003, validation_alias="PUSH_PORT")

    workers: int = Field(
        1,
        ge=1,
        le=64,
        validation_alias="PUSH_WORKERS",
        description="processes on the port, one a core; each is a gateway of its own, with the limits that follow",
    )
    max_sockets: int = Field(
        20_000,
        ge=1,
        validation_alias="PUSH_MAX_SOCKETS",
        description="sockets a gateway; at 20 KiB each this many cost 400 MiB",
    )
    max_sockets_per_user: int = Field(
        32,
        ge=1,
        validation_alias="PUSH_MAX_SOCKETS_PER_USER",
        description="sockets a user: several devices with several windows each, but not a leak",
    )
    max_unsent: int = Field(
        256 * 1024 * 1024,
        ge=2 * UNSENT_MAX,
        validation_alias="PUSH_MAX_UNSENT",
        description="bytes that may wait for all clients together; a container with 1 GiB has room for twice that",
    )
    heartbeat: int = Field(
        25,
        ge=1,
        le=300,
        validation_alias="PUSH_HEARTBEAT",
        description="seconds; below the usual proxy's 60 s of idling",
    )
    drain: float = Field(
        10, ge=0, le=300, validation_alias="PUSH_DRAIN", description="seconds over which a stop spreads its closes"
    )
