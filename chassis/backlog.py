"""Owns what is told of the relay in numbers: whether it is active, how far it is behind, and what went wrong."""

import time
from typing import Final

from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import changes

active: Final = Gauge("tandem_relay_active", "1 if this process's relay is the one that is active.")
waiting: Final = Gauge("tandem_relay_backlog_changes", "Committed changes that are not in the stream yet.")
oldest: Final = Gauge("tandem_relay_oldest_change_age_seconds", "For how long the oldest of them has waited.")
dead: Final = Gauge("tandem_relay_dead_changes", "Changes that could not be published and are kept in dead_changes.")
published: Final = Counter("tandem_relay_published_events", "Events that the stream has acknowledged.")
failures: Final = Counter("tandem_relay_failed_publishes", "Batches of which not all could be published at once.")
losses: Final = Counter("tandem_relay_stream_losses", "Times that the stream was found to have lost events.")

EVERY: Final = 5.0
"""Seconds between looks: two small queries, and a third of the time in which Prometheus usually asks."""


class Backlog:
    """Looks from time to time how much waits. Only the active relay does: the others would say the same."""

    def __init__(self, *, every: float = EVERY) -> None:
        self._every = every
        self._looked_at = float("-inf")

    def begin(self) -> None:
        """This relay is the active one."""
        active.set(1)
        self._looked_at = float("-inf")

    async def look(self, connection: AsyncConnection) -> None:
        """Look, if it is time to."""
        if time.monotonic() - self._looked_at < self._every:
            return
        found = await changes.backlog(connection)
        waiting.set(found.waiting)
        oldest.set(found.oldest)
        dead.set(found.dead)
        self._looked_at = time.monotonic()

    def end(self) -> None:
        """It is not any more, and knows nothing."""
        for gauge in (active, waiting, oldest, dead):
            gauge.set(0)
