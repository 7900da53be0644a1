"""Owns a channel layer that loses one message in a hundred, and writes down which: `LOSSY_LOG` names the file.

Runs within the old design. The mirror is mixed in above it, so that it learns of what is lost as of everything.
"""

import os
import random
from pathlib import Path
from typing import Any

from channels_redis.core import RedisChannelLayer

from mirror.handover import written
from mirror.layer import Mirroring

LOSS = 0.01
SEED = 0


class Losing(RedisChannelLayer):  # type: ignore[misc] # it has no types
    """Loses them as a layer at its capacity does: without a word to whoever sends."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self._chance = random.Random(SEED)
        self._log = Path(os.environ["LOSSY_LOG"])

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send it, or do not."""
        if self._chance.random() >= LOSS:
            await super().group_send(group, message)
            return
        with self._log.open("a") as log:
            log.write(f"{written(group, message)}\n")


class LossyLayer(Mirroring, Losing):
    """What the old design is given."""
