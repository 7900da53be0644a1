"""Owns reading one user's events from the stream, batch by batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from contracts.subjects import UserId, user_filter
from push_gateway import metrics
from push_gateway.direct import DirectGet
from push_gateway.messages import Malformed, StoredEvent, read_event

log = structlog.get_logger(__name__)

BATCH = 256
BATCH_BYTES = 256 * 1024
"""Events and bytes of one read: what a replay holds in memory at a time."""

READ_AGAIN = 0.25
"""Seconds before a read that failed, or that a lagging replica answered, is tried again."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of the stream: `events` are all that the user has in it up to `through`; `more` if that was not all."""

    events: Sequence[StoredEvent]
    through: int
    more: bool


class Reader:
    """Reads events of users."""

    def __init__(self, direct: DirectGet) -> None:
        self._direct = direct

    async def read(self, user: UserId, *, after: int) -> Batch:
        """The events of `user` behind sequence `after`, at most a batch.

        The replica that answers may lag behind: `more` being false says that it has no more, not that there is none.

        Raises:
            BusUnavailable: the answer did not come, or not all of it.
        """
        answer = await self._direct.ask(
            batch=BATCH, max_bytes=BATCH_BYTES, seq=after + 1, next_by_subj=user_filter(user)
        )
        events = [event for message in answer.messages if (event := _event(*message)) is not None]
        return Batch(events, max(answer.last, after), answer.more)


def _event(headers: bytes, body: bytes) -> StoredEvent | None:
    try:
        return read_event(headers, body)
    except Malformed as error:
        metrics.malformed.inc()
        log.warning("a stored message is not an event", reason=str(error))
        return None
