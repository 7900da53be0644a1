"""Owns what this service reads from the environment."""

from pydantic import Field

from chassis.settings import DatabaseUrl, Port, ServiceSettings


class Settings(ServiceSettings):
    """`HOST`, `ALLOWED_ORIGINS`, `CONNECTION_*`."""

    database_url: DatabaseUrl = Field(validation_alias="CONNECTION_DATABASE_URL")
    port: Port = Field(8002, validation_alias="CONNECTION_PORT")
