"""Owns where settings come from: the environment, and for a secret also a file that the environment names.

What stands in the environment is inherited by every child and shown by whatever shows a container; a file is not.
"""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from chassis.errors import BadSecretFile

SUFFIX = "_FILE"
"""What is added to the name of a secret's variable, as the official images of PostgreSQL and Grafana have it."""


def is_secret(variable: str) -> bool:
    """Whether the value must not be repeated in the output, and may be in a file instead."""
    return any(word in variable for word in ("SECRET", "KEY", "DATABASE_URL", "NATS_URL", "REDIS_URL"))


def variable_of(settings: type[BaseSettings], field_name: str) -> str:
    """The environment variable of a field: its alias, or its name behind the prefix of its class."""
    alias = settings.model_fields[field_name].validation_alias
    return alias if isinstance(alias, str) else f"{settings.model_config.get('env_prefix', '')}{field_name}".upper()


class EnvironmentSettings(BaseSettings):
    """What all settings inherit from."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - one place to look is enough
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - it finds a file by its name alone
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls)


class SecretFiles(PydanticBaseSettingsSource):
    """Takes the value of a secret from the file that its variable with `_FILE` names."""

    def __call__(self) -> dict[str, Any]:
        found = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {key: value for value, key, _ in found if value is not None}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        """The value, under which key pydantic wants it, and that it is not JSON."""
        key = field.validation_alias if isinstance(field.validation_alias, str) else field_name
        variable = variable_of(self.settings_cls, field_name)
        return (_read(variable) if is_secret(variable) else None), key, False


def _read(variable: str) -> str | None:
    """The secret without the newline that editors and `echo` leave at its end; None if no file is named.

    Raises:
        BadSecretFile: it cannot be read, or there are two values to choose from.
    """
    path = os.environ.get(variable + SUFFIX)
    if not path:
        return None
    if os.environ.get(variable):
        raise BadSecretFile(f"set {variable} or {variable}{SUFFIX}, not both")
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "it is not text in UTF-8"
        raise BadSecretFile(f"{variable}{SUFFIX}: cannot read {path!r}: {reason}") from None
    value = text.rstrip("\r\n")
    if not value:
        raise BadSecretFile(f"{variable}{SUFFIX}: {path!r} is empty")
    return value
