"""Owns the channel layer that the old system uses meanwhile: `mirror.layer.MirroringRedisLayer` as its `BACKEND`.

Runs within the old system, and must never cost it a message: what cannot be handed over is logged, and left out.
"""

import logging
from typing import Any

from channels_redis.core import RedisChannelLayer
from redis.exceptions import RedisError

from mirror.handover import FIELD, KEY, LENGTH, written

log = logging.getLogger(__name__)


class Mirroring:
    """Mixed into a layer on Redis: sends as it does, then notes in a Redis stream what was sent to a user.

    Redis numbers the notes, so that those of all processes of the old system have one order.
    """

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send it, and note it."""
        await super().group_send(group, message)  # type: ignore[misc] # that of the layer it is mixed into
        try:
            note = written(group, message)
            if note is not None:
                redis = self.connection(0)  # type: ignore[attr-defined] # each layer on Redis has it
                await redis.xadd(KEY, {FIELD: note}, maxlen=LENGTH, approximate=True)
        except (RedisError, OSError, TypeError, ValueError):
            log.exception("not mirrored: %s to %s", message.get("event"), group)


class MirroringRedisLayer(Mirroring, RedisChannelLayer):  # type: ignore[misc] # it has no types
    """channels_redis's layer, with its own `CONFIG`."""
