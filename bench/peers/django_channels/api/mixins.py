"""Owns broadcasting to people's sockets over the channel layer."""

from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.models import AbstractBaseUser


class BroadcastMixin:
    """What a view needs to broadcast."""

    def broadcast_to_user(self, user: AbstractBaseUser, event_type: str, data: Any) -> None:
        """Broadcast a WebSocket event to a specific user."""
        channel_layer = get_channel_layer()
        async_to_sync(channel_layer.group_send)(
            f"user_{user.pk}", {"type": "send_message", "event": event_type, "data": data}
        )

    def broadcast(self, users: tuple[AbstractBaseUser, ...], event_type: str, data: Any) -> None:
        """Broadcast a WebSocket event to several people: the current user and the partner."""
        for user in users:
            self.broadcast_to_user(user, event_type, data)
