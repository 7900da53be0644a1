"""Owns the contenders behind Redis, Django Channels and python-socketio: a web server and a publisher, both Python."""

import contextlib
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.peers import programs, redis
from bench.peers.redis import Redis
from bench.push.contender import Opening, Publishing, cores, on_core
from bench.push.contenders.events_stream import silent
from chassis.auth import issue_token
from chassis.settings import AuthSettings
from devstack.ports import free_port, refusal
from devstack.processes import Child, running

DAY: Final = 24 * 3600
"""Seconds for which a token is valid: no run lasts longer."""

READY_WITHIN: Final = 60.0
"""Seconds."""


class BehindRedis:
    """One process that takes sockets, and a Redis. What a publisher of events costs is the load's."""

    packages: Sequence[str]
    """Those whose versions matter."""

    def __init__(self) -> None:
        self._auth = AuthSettings(secret=secrets.token_hex(32))
        self._port, self._publishing_port = free_port(), free_port()
        self._parts = contextlib.AsyncExitStack()
        self._redis: Redis | None = None
        self._server: Child | None = None

    def server(self, port: int) -> Sequence[str]:
        """What the server's Python is told."""
        raise NotImplementedError

    def publisher(self, port: int) -> Sequence[str]:
        """What the publisher's Python is told."""
        raise NotImplementedError

    def environment(self, broker: Redis, secret: str) -> Mapping[str, str]:
        """What both find in their environment."""
        raise NotImplementedError

    def opening(self, *, resuming: bool = False) -> Opening:
        """How sockets are opened; none can be resumed."""
        raise NotImplementedError

    def available(self) -> str | None:
        try:
            programs.python()
            redis.program()
        except programs.Absent as reason:
            return str(reason)
        return None

    def version(self) -> str:
        return f"{programs.package_versions(*self.packages)}, {redis.version()}"

    async def start(self, cpu: int) -> None:
        assert self._auth.secret is not None, "made above"
        self._redis = Redis(prefix=on_core(cpu, []), sink=silent)
        env = self.environment(self._redis, self._auth.secret)
        server: list[str | Path] = [programs.python(), *self.server(self._port)]
        publisher: list[str | Path] = [programs.python(), *self.publisher(self._publishing_port)]
        self._server = self._child("server", on_core(cpu, server), env, self._port)
        load = self._child("publisher", on_core(cores()[1], publisher), env, self._publishing_port)
        for part in (self._redis, self._server, load):
            await self._parts.enter_async_context(running(part))

    async def stop(self) -> None:
        await self._parts.aclose()

    @property
    def servers(self) -> Sequence[int]:
        assert self._server is not None, "started"
        return [self._server.pid]

    @property
    def brokers(self) -> Sequence[int]:
        assert self._redis is not None, "started"
        return [self._redis.pid]

    def token(self, user: str) -> str:
        return issue_token(self._auth, user, ttl=DAY)

    def publishing(self) -> Publishing:
        return Publishing("lines", self._publishing_port, "{user}")

    @property
    def resumes(self) -> bool:
        return False

    def _child(self, name: str, command: Sequence[str | Path], env: Mapping[str, str], port: int) -> Child:
        async def listens() -> bool:
            return refusal(port) is not None

        # No patience at the end: taking leave of thousands of sockets is not measured.
        return Child(name, command, env=env, probe=listens, ready_within=READY_WITHIN, grace=0, sink=silent)
