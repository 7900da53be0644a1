"""Owns reading settings from the environment, and saying clearly what is wrong with one."""

import re
import sys
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

import nkeys
from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from chassis.environment import EnvironmentSettings, is_secret
from chassis.errors import BadSecretFile
from chassis.keys import read_public_key

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class LogSettings(EnvironmentSettings):
    """`LOG_*`."""

    model_config = SettingsConfigDict(env_prefix="LOG_", extra="ignore", env_ignore_empty=True)

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: readable on a terminal, JSON otherwise"
    )


class TraceSettings(EnvironmentSettings):
    """`OTEL_*`: those of OpenTelemetry's variables that decide whether there are traces; its SDK reads the others."""

    model_config = SettingsConfigDict(env_prefix="OTEL_", extra="ignore", env_ignore_empty=True)

    exporter_otlp_endpoint: str | None = Field(None, description="where traces go; without it there are none")
    exporter_otlp_traces_endpoint: str | None = Field(None, description="the same, for traces alone")
    traces_exporter: Literal["otlp", "none"] | None = None
    sdk_disabled: bool = False
    service_name: str | None = Field(None, description="how this process is called in traces")

    @property
    def wanted(self) -> bool:
        """Whether traces are to be recorded; `OTEL_TRACES_EXPORTER=otlp` alone sends them to port 4318 here."""
        somewhere = self.exporter_otlp_endpoint or self.exporter_otlp_traces_endpoint
        return not self.sdk_disabled and (self.traces_exporter or ("otlp" if somewhere else "none")) == "otlp"


class AuthSettings(EnvironmentSettings):
    """`AUTH_*`: exactly one of a shared secret, a public key and a key set URL."""

    model_config = SettingsConfigDict(env_prefix="AUTH_", extra="ignore", env_ignore_empty=True)

    secret: str | None = Field(None, min_length=32, description="HS256; at least 32 characters (RFC 7518, 3.2)")
    public_key: str | None = Field(None, description="RS256, ES256 or EdDSA: PEM, or the path of a PEM file")
    jwks_url: str | None = Field(None, pattern=r"^https?://", description="RS256, ES256 or EdDSA key set")
    audience: str = "tandem"
    issuer: str = "tandem"
    leeway: float = Field(5, ge=0, le=60, description="seconds that clocks may differ")
    dev: bool = Field(False, description="offer POST /dev/token; never in production")

    @field_validator("public_key")
    @classmethod
    def _read_key(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            pem = value if value.lstrip().startswith("-----BEGIN") else Path(value).read_text()
            read_public_key(pem)
        except (OSError, ValueError):
            raise ValueError(
                "must be an RSA, P-256 or Ed25519 public key as PEM, or the path of a file that holds one"
            ) from None
        return pem

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        given = [name for name in ("secret", "public_key", "jwks_url") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "set exactly one of AUTH_SECRET, AUTH_PUBLIC_KEY and AUTH_JWKS_URL"
                + (f"; set now: {', '.join('AUTH_' + name.upper() for name in given)}" if given else "")
            )
        if self.dev and self.secret is None:
            raise ValueError("AUTH_DEV=1 needs AUTH_SECRET: development tokens are signed with it")
        return self


class BusSettings(EnvironmentSettings):
    """`NATS_*`."""

    model_config = SettingsConfigDict(env_prefix="NATS_", extra="ignore", env_ignore_empty=True)

    url: CommaSeparated = Field(("nats://127.0.0.1:4222",), description="comma-separated")
    replicas: int = Field(1, ge=1, le=5, description="copies of the streams: 1 alone, 3 in a cluster")
    nkey_seed_file: Path | None = Field(
        None, description="a file with the seed of this service's NKEY; not set: a server that asks for none"
    )

    @field_validator("url", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("url")
    @classmethod
    def _check(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_is_nats_url(url) for url in value):
            raise ValueError("must be nats://host:port or tls://host:port, or several with commas between them")
        return value

    @field_validator("nkey_seed_file")
    @classmethod
    def _check_seed(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        try:
            public_key: bytes = nkeys.from_seed(bytearray(value.read_bytes().strip())).public_key
        except (OSError, nkeys.NkeysError, ValueError):
            public_key = b""
        if not public_key.startswith(b"U"):  # the value is not repeated: it may be the seed itself
            raise ValueError("must be the path of a file that we may read, with the seed of a user's NKEY (SU...)")
        return value


def _is_nats_url(value: str) -> bool:
    try:
        url = urlsplit(value)
        return url.scheme in {"nats", "tls"} and bool(url.hostname) and url.port != 0  # reading a port checks it
    except ValueError:
        return False


DATABASE_URL_SHAPE = "postgresql+asyncpg://user:password@host:5432/database"

_DATABASE_URL = re.compile(
    r"postgresql\+asyncpg://([^:/]*(:[^@]*)?@)?(\[[^/?]+\]|[^/:?]+)?(:\d*)?(/[^?]*)?(\?.*)?", re.ASCII
)
"""What SQLAlchemy reads; the gateway reads settings too, and has no use for SQLAlchemy itself."""


def _database_url(value: str) -> str:
    if not _DATABASE_URL.fullmatch(value):
        raise ValueError(f"must look like {DATABASE_URL_SHAPE}")
    return value


DatabaseUrl = Annotated[str, Field(description=DATABASE_URL_SHAPE), AfterValidator(_database_url)]
Port = Annotated[int, Field(ge=1, le=65535)]


class EdgeSettings(EnvironmentSettings):
    """Where a service listens, and whose pages may talk to it."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    host: str = "127.0.0.1"
    allowed_origins: CommaSeparated = Field((), description="comma-separated, for example https://tandem.example")

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("allowed_origins")
    @classmethod
    def _check(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                raise ValueError(f"{origin!r} must be scheme://host or scheme://host:port, without a path")
        return value


class ServiceSettings(EdgeSettings):
    """What a service with a database reads besides; each names its own variables."""

    database_url: DatabaseUrl
    port: Port
    requests_per_user: float = Field(
        50,
        validation_alias="HTTP_REQUESTS_PER_USER",
        description="requests a second; a page makes some 5 when it opens, and a person has a few. 0: no limit",
    )

    @field_validator("requests_per_user")
    @classmethod
    def _whole_answers(cls, value: float) -> float:
        if value != 0 and not 1 <= value < float("inf"):
            raise ValueError("must be 0, for no limit, or at least 1: who is refused is told to wait a second")
        return value


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S]) -> S:
    """Read `settings` from the environment, or end the process with exit code 2 and one line a mistake."""
    try:
        return settings()
    except BadSecretFile as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        for mistake in error.errors():
            where = "_".join(str(part) for part in mistake["loc"])
            variable = f"{prefix}{where}".upper() if where else ""
            given = f" (given: {mistake['input']!r})" if where and not is_secret(variable) else ""
            message = mistake["msg"].removeprefix("Value error, ")
            if mistake["type"] == "missing":
                message, given = f"must be set ({_description(settings, where)})", ""
            sys.stderr.write(f"{f'{variable}: ' if variable else ''}{message}{given}\n")
        raise SystemExit(2) from None


def _description(settings: type[BaseSettings], where: str) -> str:
    fields = settings.model_fields.items()
    return next(field.description or name for name, field in fields if where in {name, field.validation_alias})
