"""Owns the app's configuration: it registers the signals when Django has loaded the models."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The app."""

    name = "bench.peers.django_channels.api"
    label = "api"

    def ready(self) -> None:
        from bench.peers.django_channels.api import signals  # noqa: F401, PLC0415 - connecting them is all
