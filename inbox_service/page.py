"""Owns serving the demo page, in development. The page may load nothing from elsewhere, and talk to our services alone.

What it is made of lies in `web/`: the library, and in `web/demo/` what is the page's own.
"""

import html
import json
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

WEB = Path(__file__).parent.parent / "web"

ASK_AGAIN = {"Cache-Control": "no-cache"}
"""A browser guesses how long a file without this stays fresh, and would show a developer yesterday's code."""


def demo_page(*, connection: str, push: str, control: str) -> APIRouter:
    """`GET /`: the page, told the URLs of the other services; what it loads is below `/web/`.

    Args:
        control: where it may have the gateway restarted; empty: nowhere.
    """
    router = APIRouter(include_in_schema=False)
    places = json.dumps({"connection": connection, "push": push, "control": control})
    headers = {**ASK_AGAIN, "Content-Security-Policy": _policy(connection, push, control)}

    @router.get("/")
    async def page() -> HTMLResponse:
        text = (WEB / "index.html").read_text("utf-8")
        return HTMLResponse(text.replace("__PLACES__", html.escape(places)), headers=headers)  # it is an attribute

    router.mount("/web", _Files(directory=WEB), name="web")
    return router


def _policy(*services: str) -> str:
    """The Content-Security-Policy (CSP Level 3): our own files, no inline code, no HTML made from strings."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self' " + " ".join(_origin(url) for url in services if url),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _origin(url: str) -> str:
    """`scheme://host:port`, in which no character can end the directive that it stands in."""
    parts = urlsplit(url)
    return quote(f"{parts.scheme}://{parts.netloc}", safe=":/[]")


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        if path.startswith("node_modules"):  # what the files are checked with
            raise HTTPException(HTTPStatus.NOT_FOUND)
        response = await super().get_response(path, scope)
        response.headers.update(ASK_AGAIN)
        return response
