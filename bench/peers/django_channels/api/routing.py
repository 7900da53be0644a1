"""Owns the paths of WebSockets."""

from django.urls import path

from bench.peers.django_channels.api.consumers import RealtimeConsumer

websocket_urlpatterns = [path("ws/", RealtimeConsumer.as_asgi())]
