"""Owns python-socketio as a contender: one room a user, and a Redis between publisher and server, as it is scaled."""

from collections.abc import Mapping, Sequence

from bench.peers import programs
from bench.peers.redis import Redis
from bench.push.contender import Opening
from bench.push.contenders.behind_redis import BehindRedis
from devstack.ports import HOST


class SocketIo(BehindRedis):
    """A client speaks Engine.IO 4 over a WebSocket from the beginning, without long polling before it."""

    name = "socketio"
    what = "python-socketio with its AsyncRedisManager on uvicorn with uvloop"
    packages = ("python-socketio", "python-engineio", "redis", "hiredis", "uvicorn")

    def server(self, port: int) -> Sequence[str]:
        place = ["--host", HOST, "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
        quiet = ["--no-access-log", "--log-level", "warning"]
        return ["-m", "uvicorn", *place, *quiet, "bench.peers.socketio_server:application"]

    def publisher(self, port: int) -> Sequence[str]:
        return ["-m", "bench.peers.socketio_server", str(port)]

    def environment(self, broker: Redis, secret: str) -> Mapping[str, str]:
        return {"PYTHONPATH": str(programs.ROOT), "PEER_REDIS_URL": broker.url, "PEER_SECRET": secret}

    def opening(self, *, resuming: bool = False) -> Opening:  # noqa: ARG002 - it resumes nobody
        path = "/socket.io/?EIO=4&transport=websocket"
        return Opening(self._port, path, '40{"sid"', messages=['40{"token":"{token}"}'], ping="2", pong="3")
