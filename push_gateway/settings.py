"""Owns what the gateway reads from the environment, and with that its limits."""

from ipaddress import ip_network

from pydantic import Field, field_validator

from chassis.settings import CommaSeparated, EdgeSettings, Port
from push_gateway.address import Network
from push_gateway.session import UNSENT_MAX


class Settings(EdgeSettings):
    """`HOST`, `ALLOWED_ORIGINS`, `TRUSTED_PROXIES`, `PUSH_*`."""

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
    handshakes_per_user: float = Field(
        2,
        ge=0,
        allow_inf_nan=False,
        validation_alias="PUSH_HANDSHAKES_PER_USER",
        description="handshakes a second, a minute's at once: all windows of a person, some times over. 0: no limit",
    )
    handshakes_per_address: float = Field(
        50,
        ge=0,
        allow_inf_nan=False,
        validation_alias="PUSH_HANDSHAKES_PER_ADDRESS",
        description="likewise; behind one address there may be a whole company that comes back at once. 0: no limit",
    )
    trusted_proxies: CommaSeparated = Field(
        (),
        validation_alias="TRUSTED_PROXIES",
        description="addresses or networks, comma-separated, whose X-Forwarded-For is believed",
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

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_proxies(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in value:
            try:
                ip_network(proxy)
            except ValueError:
                raise ValueError(f"{proxy!r} must be an address or a network, for example 10.0.0.0/8") from None
        return value

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """`trusted_proxies`, as networks."""
        return tuple(ip_network(proxy) for proxy in self.trusted_proxies)
