"""Owns broadcasting what happens to inbox items, from ORM signals. Bulk updates and raw SQL send none."""

from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from bench.peers.django_channels.api.models import InboxItem
from bench.peers.django_channels.api.serializers import InboxItemSerializer


def _broadcast(item: InboxItem, event: str, data: Any) -> None:
    channel_layer = get_channel_layer()
    async_to_sync(channel_layer.group_send)(
        f"user_{item.recipient_id}", {"type": "send_message", "event": event, "data": data}
    )


@receiver(post_save, sender=InboxItem)
def broadcast_inbox_item_update(instance: InboxItem, *, created: bool, **_: Any) -> None:
    """`inbox:created` for a new item, `inbox:updated` for a changed one."""
    _broadcast(instance, "inbox:created" if created else "inbox:updated", InboxItemSerializer(instance).data)


@receiver(post_delete, sender=InboxItem)
def broadcast_inbox_item_deletion(instance: InboxItem, **_: Any) -> None:
    """`inbox:deleted`, with the id alone."""
    _broadcast(instance, "inbox:deleted", {"id": instance.pk})
