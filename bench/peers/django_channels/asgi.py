"""Owns what uvicorn and daphne run: HTTP to Django's views, WebSockets to the consumer."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.peers.django_channels.settings")
http = get_asgi_application()  # first: it loads the apps, which the consumer's imports need

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from bench.peers.django_channels.api.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter({"http": http, "websocket": URLRouter(websocket_urlpatterns)})
