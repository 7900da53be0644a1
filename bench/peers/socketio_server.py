"""Owns the python-socketio peer: `application` for an ASGI server; run as a module, the publisher, with a port.

Each user has a room, which a socket enters when it has shown a token. PEER_REDIS_URL and PEER_SECRET are read from the
environment.
"""

import os
import sys
from typing import Any

import jwt
import socketio
import uvloop

from bench.peers.lines import publish_lines

AUDIENCE = "tandem"
"""So that it takes the same tokens as everybody."""


def create_application() -> Any:
    """The server."""
    manager = socketio.AsyncRedisManager(os.environ["PEER_REDIS_URL"])
    server = socketio.AsyncServer(async_mode="asgi", client_manager=manager, cors_allowed_origins=[])
    secret = os.environ["PEER_SECRET"]

    async def connect(sid: str, _: dict[str, Any], auth: dict[str, str] | None) -> bool:
        try:
            claims = jwt.decode((auth or {}).get("token", ""), secret, algorithms=["HS256"], audience=AUDIENCE)
        except jwt.InvalidTokenError:
            return False
        await server.enter_room(sid, claims["sub"])
        return True

    server.on("connect", connect)
    return socketio.ASGIApp(server)


async def publish(port: int) -> None:
    """Emit what comes to the port."""
    manager = socketio.AsyncRedisManager(os.environ["PEER_REDIS_URL"], write_only=True)

    async def emit(user: str, data: Any) -> None:
        await manager.emit("inbox:created", data, room=user)

    await publish_lines(port, emit)


if __name__ == "__main__":
    uvloop.run(publish(int(sys.argv[1])))
else:
    application = create_application()
