"""Owns what this service reads from the environment."""

from pydantic import Field

from chassis.settings import DatabaseUrl, Port, ServiceSettings


class Settings(ServiceSettings):
    """`HOST`, `ALLOWED_ORIGINS`, `INBOX_*`, and what the demo page is told in development."""

    database_url: DatabaseUrl = Field(validation_alias="INBOX_DATABASE_URL")
    port: Port = Field(8001, validation_alias="INBOX_PORT")
    connection_url: str = Field("http://127.0.0.1:8002", description="where the demo page finds connection_service")
    push_url: str = Field("ws://127.0.0.1:8003/v1/push", description="where the demo page finds the gateway")
    control_url: str = Field("", description="where the demo page restarts the gateway; empty: it cannot")
