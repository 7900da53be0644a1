"""Owns the paths of the HTTP API."""

from django.urls import include, path
from rest_framework.routers import DefaultRouter

from bench.peers.django_channels.api.views import DailyConnectionViewSet, InboxItemViewSet

router = DefaultRouter()
router.register("inbox", InboxItemViewSet, basename="inbox")
router.register("daily-connections", DailyConnectionViewSet, basename="daily-connections")
urlpatterns = [path("api/", include(router.urls))]
