"""Owns what the inspector reads from the environment: the services' own variables, each needed by some commands."""

from pydantic_settings import SettingsConfigDict

from chassis.environment import EnvironmentSettings
from chassis.settings import DatabaseUrl
from contracts.subjects import Source


class DatabaseSettings(EnvironmentSettings):
    """`CONNECTION_DATABASE_URL` and `INBOX_DATABASE_URL`."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    connection_database_url: DatabaseUrl | None = None
    inbox_database_url: DatabaseUrl | None = None

    def url(self, source: Source) -> str | None:
        """Where the service that is called `source` keeps its rows."""
        return {"connection": self.connection_database_url, "inbox": self.inbox_database_url}[source]
