"""Owns Tandem as a contender: the real gateway behind a real nats-server that stores every event before it sends it."""

import importlib.metadata
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.push.contender import Cores, Opening, Publishing, on_core
from bench.push.contenders.events_stream import EventsStream, silent
from chassis.auth import issue_token
from chassis.settings import AuthSettings
from contracts.frames import BEARER_PREFIX, PATH, SUBPROTOCOL
from devstack.binaries import nats_server
from devstack.ports import HOST, free_port
from devstack.processes import Child
from devstack.services import Service

ROOT: Final = Path(__file__).parents[3]

READY_WITHIN: Final = 30.0
"""Seconds."""

DAY: Final = 24 * 3600
"""Seconds for which a token is valid: no run lasts longer."""


class Tandem:
    """The gateway and its nats-server."""

    name = "tandem"
    what = "push_gateway behind JetStream, each event on disk (fsync) before it is sent"
    synced = True

    def __init__(self, *, workers: int = 1) -> None:
        self._workers = workers
        self._auth = AuthSettings(secret=secrets.token_hex(32))
        self._port = free_port()
        self._stream: EventsStream | None = None
        self._gateway: Child | None = None

    def available(self) -> str | None:
        return None

    def version(self) -> str:
        return f"this commit, websockets {importlib.metadata.version('websockets')}, {nats_version()}"

    async def start(self, cpu: Cores) -> None:
        self._stream = EventsStream(synced=self.synced)
        await self._stream.start(cpu)
        service = Service("push", (sys.executable, "-m", "push_gateway"), self._port)
        assert self._auth.secret is not None, "made above"
        env = {
            **self._stream.nats.access("push"),
            "PUSH_PORT": str(self._port), "HOST": HOST, "PYTHONPATH": str(ROOT),
            "AUTH_SECRET": self._auth.secret, "PUSH_MAX_SOCKETS": "30000", "PUSH_MAX_SOCKETS_PER_USER": "1000",
            "PUSH_HANDSHAKES_PER_USER": "0", "PUSH_HANDSHAKES_PER_ADDRESS": "0", "LOG_LEVEL": "WARNING",
            "PUSH_WORKERS": str(self._workers),
        }  # fmt: skip
        command = on_core(cpu, service.command)
        self._gateway = Child("gateway", command, env=env, probe=service.ready, ready_within=READY_WITHIN, sink=silent)
        await self._gateway.start()

    async def stop(self) -> None:
        if self._gateway is not None:
            await self._gateway.stop(grace=0)
        if self._stream is not None:
            await self._stream.stop()

    @property
    def servers(self) -> Sequence[int]:
        assert self._gateway is not None, "started"
        return [self._gateway.pid]

    @property
    def brokers(self) -> Sequence[int]:
        assert self._stream is not None, "started"
        return [self._stream.nats.pid]

    def token(self, user: str) -> str:
        return issue_token(self._auth, user, ttl=DAY)

    def opening(self, *, resuming: bool = False) -> Opening:
        assert self._stream is not None, "started"
        # There is nothing else in the stream, and who was there has had all of it.
        query = f"?epoch={self._stream.epoch}&since={{events}}" if resuming else ""
        headers = [f"Sec-WebSocket-Protocol: {SUBPROTOCOL}, {BEARER_PREFIX}{{token}}"]
        return Opening(self._port, PATH + query, f'"resumed":{str(resuming).lower()}', headers)

    def publishing(self) -> Publishing:
        assert self._stream is not None, "started"
        return self._stream.publishing()

    @property
    def resumes(self) -> bool:
        return True


class TandemUnsynced(Tandem):
    """What the disk costs is the difference."""

    name = "tandem_unsynced"
    what = "the same, but NATS does not wait for the disk"
    synced = False


def nats_version() -> str:
    """Of the nats-server that is used."""
    told = subprocess.run([nats_server(), "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    return told.stdout.strip().replace(": v", " ")
