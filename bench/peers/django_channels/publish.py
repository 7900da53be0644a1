"""Owns broadcasting to user groups without the HTTP API, where sockets alone are measured, as signals would."""

import os
import sys
from typing import Any

import django
import uvloop
from channels.layers import get_channel_layer

from bench.peers.lines import publish_lines


async def broadcast(user: str, data: Any) -> None:
    """Broadcast a new inbox item."""
    message = {"type": "send_message", "event": "inbox:created", "data": data}
    await get_channel_layer().group_send(f"user_{user}", message)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.peers.django_channels.settings")
    django.setup()
    uvloop.run(publish_lines(int(sys.argv[1]), broadcast))
