"""Owns how rows look in JSON, over HTTP and on the socket."""

from rest_framework import serializers

from bench.peers.django_channels.api.models import DailyConnection, DailyConnectionAnswer, InboxItem


class InboxItemSerializer(serializers.ModelSerializer):
    """A whole inbox item."""

    class Meta:
        """All that a client shows; nothing but reading and the recipient's own deletion comes from outside."""

        model = InboxItem
        fields = (
            "id", "recipient", "sender", "kind", "title", "body", "data", "is_read", "read_at", "created_at",
            "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class DailyConnectionAnswerSerializer(serializers.ModelSerializer):
    """An answer. Only its text comes from outside."""

    class Meta:
        """What it has."""

        model = DailyConnectionAnswer
        fields = ("id", "connection", "author", "text", "created_at")
        read_only_fields = ("id", "connection", "author", "created_at")


class DailyConnectionSerializer(serializers.ModelSerializer):
    """A question with the answers given so far."""

    answers = DailyConnectionAnswerSerializer(many=True, read_only=True)

    class Meta:
        """What it has."""

        model = DailyConnection
        fields = ("id", "partnership", "date", "question", "answers")
