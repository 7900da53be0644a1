"""Owns NATS's own WebSocket as a contender: each client is a client of nats-server and subscribes for itself."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.push.contender import Opening, Publishing, on_core
from bench.push.contenders.events_stream import silent
from bench.push.contenders.tandem import nats_version
from devstack.binaries import nats_server
from devstack.ports import HOST, free_port, refusal
from devstack.processes import Child


class NatsWebSocket:
    """One nats-server, which is the broker too."""

    name = "nats_websocket"
    what = "nats-server alone: clients speak NATS over WebSocket, events are not stored"

    def __init__(self) -> None:
        self._port, self._socket_port = free_port(), free_port()
        self._folder: Path | None = None
        self._server: Child | None = None

    def available(self) -> str | None:
        return None

    def version(self) -> str:
        return nats_version()

    async def start(self, cpu: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
        configuration = self._folder / "nats.conf"
        configuration.write_text(
            json.dumps(
                {
                    "host": HOST, "port": self._port, "logtime": False, "max_connections": 65_536,
                    "ping_interval": "10m",  # it pings each client that is silent, which ours all are
                    "websocket": {"host": HOST, "port": self._socket_port, "no_tls": True, "compression": False},
                }
            )
        )  # fmt: skip
        command = on_core(cpu, [nats_server(), "-c", configuration])
        self._server = Child("nats", command, probe=self._listens, sink=silent)
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(grace=0)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def servers(self) -> Sequence[int]:
        assert self._server is not None, "started"
        return [self._server.pid]

    @property
    def brokers(self) -> Sequence[int]:
        return []

    def token(self, user: str) -> str:  # noqa: ARG002 - it believes everybody
        return ""

    def opening(self, *, resuming: bool = False) -> Opening:  # noqa: ARG002 - it resumes nobody
        hello = 'CONNECT {"verbose":false,"pedantic":false,"headers":true,"protocol":1}\r\n'
        words = hello + "SUB push.{user} 1\r\nPING\r\n"
        return Opening(self._socket_port, "/", "PONG\r\n", messages=[words], ping="PING\r\n", pong="PONG\r\n")

    def publishing(self) -> Publishing:
        return Publishing("nats", self._port, "push.{user}")

    @property
    def resumes(self) -> bool:
        return False

    async def _listens(self) -> bool:
        return refusal(self._port) is not None and refusal(self._socket_port) is not None
