"""Owns Centrifugo as a contender: built from its Go module, behind NATS, whose messages it passes on as they are."""

import contextlib
import json
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.peers import programs
from bench.push.contender import Opening, Publishing, on_core
from bench.push.contenders.events_stream import silent
from bench.push.contenders.tandem import DAY, nats_version
from chassis.auth import issue_token
from chassis.settings import AuthSettings
from devstack.binaries import nats_server
from devstack.ports import HOST, free_port, refusal
from devstack.processes import Child, running

VERSION: Final = "v6.9.1"
MODULE: Final = f"github.com/centrifugal/centrifugo/v6@{VERSION}"

PERSONAL: Final = "#{user}"
"""The channel to which Centrifugo subscribes each user by itself; in its broker's raw mode the NATS subject too."""


class Centrifugo:
    """One Centrifugo and one nats-server; a Go program uses as many threads at once as it has cores, here one."""

    name = "centrifugo"
    what = "Centrifugo behind core NATS in raw mode, JSON protocol, personal channels, events are not stored"

    def __init__(self) -> None:
        self._auth = AuthSettings(secret=secrets.token_hex(32))
        self._port, self._nats_port = free_port(), free_port()
        self._parts = contextlib.AsyncExitStack()
        self._nats: Child | None = None
        self._server: Child | None = None

    def available(self) -> str | None:
        try:
            programs.go(MODULE)
        except programs.Absent as reason:
            return str(reason)
        return None

    def version(self) -> str:
        return f"Centrifugo {VERSION}, {nats_version()}"  # the program itself knows only how its makers have built it

    async def start(self, cpu: int) -> None:
        folder = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
        self._parts.callback(shutil.rmtree, folder, ignore_errors=True)
        configuration = folder / "config.json"
        configuration.write_text(json.dumps(self._configuration()))
        nats: list[str | Path] = [nats_server(), "--addr", HOST, "--port", str(self._nats_port)]
        self._nats = _child("nats", on_core(cpu, nats), self._nats_port)
        server: list[str | Path] = [programs.go(MODULE), "--config", configuration]
        self._server = _child("centrifugo", on_core(cpu, server), self._port)
        for part in (self._nats, self._server):
            await self._parts.enter_async_context(running(part))

    async def stop(self) -> None:
        await self._parts.aclose()

    @property
    def servers(self) -> Sequence[int]:
        assert self._server is not None, "started"
        return [self._server.pid]

    @property
    def brokers(self) -> Sequence[int]:
        assert self._nats is not None, "started"
        return [self._nats.pid]

    def token(self, user: str) -> str:
        return issue_token(self._auth, user, ttl=DAY)

    def opening(self, *, resuming: bool = False) -> Opening:  # noqa: ARG002 - its NATS broker keeps nothing
        hello = '{"id":1,"connect":{"token":"{token}"}}'
        return Opening(self._port, "/connection/websocket", '"subs":{', messages=[hello], ping="{}", pong="{}")

    def publishing(self) -> Publishing:
        return Publishing("nats", self._nats_port, PERSONAL)

    @property
    def resumes(self) -> bool:
        return False

    def _configuration(self) -> object:
        """Of version 6: internal/configtypes/types.go in its repository."""
        return {
            "http_server": {"address": HOST, "port": self._port},
            "log": {"level": "error"},
            "usage_stats": {"disabled": True},
            "client": {
                "token": {"hmac_secret_key": self._auth.secret, "audience": self._auth.audience},
                "subscribe_to_user_personal_channel": {"enabled": True},
            },
            "broker": {
                "enabled": True,
                "type": "nats",
                "nats": {"url": f"nats://{HOST}:{self._nats_port}", "raw_mode": {"enabled": True}},
            },
        }


def _child(name: str, command: Sequence[str | Path], port: int) -> Child:
    async def listens() -> bool:
        return refusal(port) is not None

    return Child(name, command, probe=listens, grace=0, sink=silent)
