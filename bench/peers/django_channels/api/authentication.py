"""Owns whose a request or a socket is: the subject of a signed token, as Tandem's services have it too."""

from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

SCHEME = "Bearer "


def subject_of(token: str) -> str | None:
    """The user's id in the token; None if it is not signed with our secret, or expired."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, settings.SECRET_KEY, algorithms=["HS256"], audience=settings.TOKEN_AUDIENCE
        )
    except jwt.InvalidTokenError:
        return None
    return str(claims["sub"])


class BearerAuthentication(BaseAuthentication):
    """Finds the user of a bearer token, in the database as all of Django's own ways do."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, None] | None:
        """The user; None if the request does not say whose it is."""
        header: str = request.headers.get("Authorization", "")
        if not header.startswith(SCHEME):
            return None
        user = User.objects.filter(pk=subject_of(header.removeprefix(SCHEME))).first()
        if user is None:
            raise AuthenticationFailed
        return user, None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """What a 401 asks for."""
        return SCHEME.strip()
