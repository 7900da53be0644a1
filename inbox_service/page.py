"""Owns serving the demo page, in development."""

import json
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

WEB = Path(__file__).parent.parent / "web"


def demo_page(*, connection_url: str, push_url: str) -> APIRouter:
    """`GET /`: the page, told where the other two services are."""
    router = APIRouter(include_in_schema=False)
    places = json.dumps({"connection": connection_url, "push": push_url})

    @router.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse((WEB / "index.html").read_text("utf-8").replace("__PLACES__", places))

    router.mount("/web", StaticFiles(directory=WEB), name="web")
    return router
