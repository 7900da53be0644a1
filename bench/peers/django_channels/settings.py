"""Owns the settings; what differs from one run to another comes from the environment, as PEER_ and its name."""

import os

SECRET_KEY = os.environ.get("PEER_SECRET", "that of nobody: only for commands that check no token")
TOKEN_AUDIENCE = "tandem"  # noqa: S105 - so that both systems take the same tokens
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "bench.peers.django_channels.urls"
ASGI_APPLICATION = "bench.peers.django_channels.asgi.application"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
    "channels",
    "bench.peers.django_channels.api",
]
MIDDLEWARE: list[str] = []
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("PEER_DATABASE", "peer"),
        "USER": "postgres",
        "HOST": os.environ.get("PEER_DATABASE_HOST", ""),
        "PORT": "5432",
        "OPTIONS": {"pool": {"min_size": 4, "max_size": 16}},
    }
}

CHANNEL_CAPACITY = 100_000
"""Messages that wait for one server process. Of more than that, 100 by default, Channels drops the rest in silence."""

REDIS_CONNECTIONS = 10_000
"""At most; of 100, the client's default, a hundred sockets that come or go at once want more, and fail."""

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": os.environ.get("PEER_CHANNEL_LAYER", "channels_redis.core.RedisChannelLayer"),
        "CONFIG": {
            "hosts": [
                {
                    "address": os.environ.get("PEER_REDIS_URL", "redis://127.0.0.1:6379"),
                    "max_connections": REDIS_CONNECTIONS,
                    "socket_timeout": None,  # the client's default ends the layer's own waiting, which is as long
                }
            ],
            "capacity": CHANNEL_CAPACITY,
        },
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["bench.peers.django_channels.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 50,
}
