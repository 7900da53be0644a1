"""Owns the HTTP API: viewsets that broadcast what the signals do not."""

from django.db import IntegrityError
from django.db.models import Q, QuerySet
from django.utils import timezone
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from bench.peers.django_channels.api.mixins import BroadcastMixin
from bench.peers.django_channels.api.models import DailyConnection, InboxItem
from bench.peers.django_channels.api.serializers import (
    DailyConnectionAnswerSerializer,
    DailyConnectionSerializer,
    InboxItemSerializer,
)


class InboxItemViewSet(
    BroadcastMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    """The caller's inbox. The signals broadcast what changes here."""

    serializer_class = InboxItemSerializer

    def get_queryset(self) -> QuerySet[InboxItem]:
        return InboxItem.objects.filter(recipient=self.request.user)

    @action(detail=True, methods=["post"])
    def mark_as_read(self, request: Request, pk: str | None = None) -> Response:  # noqa: ARG002
        """Mark one item as read."""
        item = self.get_object()
        item.is_read = True
        item.read_at = timezone.now()
        item.save()
        return Response(self.get_serializer(item).data)

    @action(detail=False, methods=["post"])
    def mark_all_as_read(self, request: Request) -> Response:  # noqa: ARG002
        """Mark all unread items as read. Each is saved by itself: a bulk update would send no signal."""
        items = list(self.get_queryset().filter(is_read=False))
        for item in items:
            item.is_read = True
            item.read_at = timezone.now()
            item.save()
        return Response({"updated": len(items)})


class DailyConnectionViewSet(BroadcastMixin, viewsets.ReadOnlyModelViewSet):
    """The questions of the caller's partnership, and answering them."""

    serializer_class = DailyConnectionSerializer

    def get_queryset(self) -> QuerySet[DailyConnection]:
        user = self.request.user
        return (
            DailyConnection.objects.filter(Q(partnership__first=user) | Q(partnership__second=user))
            .select_related("partnership__first", "partnership__second")
            .prefetch_related("answers")
            .order_by("-date")
        )

    @action(detail=True, methods=["post"])
    def answers(self, request: Request, pk: str | None = None) -> Response:  # noqa: ARG002
        """Answer a question: both partners hear of the answer, and the partner gets an inbox item.

        `inbox:created` goes out twice, from here and from the signal, as in the old design, whose page drops the
        second one by its id.
        """
        connection = self.get_object()
        answer = DailyConnectionAnswerSerializer(data=request.data)
        answer.is_valid(raise_exception=True)
        try:
            answer.save(connection=connection, author=request.user)
        except IntegrityError:
            return Response({"detail": "answered already"}, status=status.HTTP_409_CONFLICT)
        partner = connection.partnership.partner_of(request.user)
        self.broadcast(
            (request.user, partner),
            "connection_answer:created",
            {"answer": answer.data, "connection": self.get_serializer(connection).data},
        )
        item = InboxItem.objects.create(
            recipient=partner,
            sender=request.user,
            kind="connection_answer",
            title=f"{request.user.username} answered: {connection.question}"[:200],
            body=answer.data["text"],
            data={
                "answer_id": answer.data["id"],
                "connection_id": connection.pk,
                "date": connection.date.isoformat(),
                "question": connection.question,
            },
        )
        self.broadcast_to_user(partner, "inbox:created", InboxItemSerializer(item).data)
        return Response(answer.data, status=status.HTTP_201_CREATED)
