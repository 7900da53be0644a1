"""Owns the sockets: each is a member of its user's group, and passes on what is sent to it."""

import json
from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer

from bench.peers.django_channels.api.authentication import subject_of

UNAUTHORIZED = 4401
"""The close code for whoever brings no good token."""


class RealtimeConsumer(AsyncWebsocketConsumer):
    """One socket of one user, who is named by the token in the query."""

    user: str | None = None

    async def connect(self) -> None:
        """Join the user's group, and say so."""
        query = parse_qs(self.scope["query_string"].decode())
        self.user = subject_of(query.get("token", [""])[0])
        await self.accept()
        if self.user is None:
            await self.close(UNAUTHORIZED)
            return
        await self.channel_layer.group_add(f"user_{self.user}", self.channel_name)
        await self.send(text_data=json.dumps({"event": "connected", "data": {"user": self.user}}))

    async def disconnect(self, code: int) -> None:  # noqa: ARG002
        """Leave it."""
        if self.user is not None:
            await self.channel_layer.group_discard(f"user_{self.user}", self.channel_name)

    async def send_message(self, message: dict[str, Any]) -> None:
        """What a broadcast becomes on the socket."""
        await self.send(text_data=json.dumps({"event": message["event"], "data": message["data"]}))
