"""Owns nchan as a contender: Debian's nginx with the module in it, one worker, events by HTTP POST."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.peers import programs
from bench.push.contender import Opening, Publishing, on_core
from bench.push.contenders.events_stream import silent
from devstack.ports import HOST, free_port, refusal
from devstack.processes import Child

PACKAGES: Final = ("nginx", "libnginx-mod-nchan")
MODULE: Final = "usr/lib/nginx/modules/ngx_nchan_module.so"

STATE: Final = Path("/var/lib/nginx")
"""Compiled into Debian's nginx. With nchan in it, it makes folders there whatever it is told, but not this one."""

CONFIGURATION: Final = """
load_module {module};
user root;
daemon off;
pid nginx.pid;
error_log stderr error;
worker_processes 1;
worker_rlimit_nofile 20000;
events {{ worker_connections 19500; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    nchan_shared_memory_size 512M;
    server {{
        listen {host}:{port} backlog=4096;
        location ~ ^/sub/(\\w+)$ {{
            nchan_pubsub websocket;
            nchan_channel_id $1;
            nchan_subscriber_first_message newest;
            nchan_websocket_client_heartbeat hello welcome;
        }}
        location ~ ^/pub/(\\w+)$ {{
            nchan_publisher http;
            nchan_channel_id $1;
            nchan_message_buffer_length 10;
            nchan_message_timeout 1m;
        }}
    }}
}}
"""
"""A client's word is answered because nchan itself greets nobody: only so is it known that a socket is open. It takes
one only where clients may publish."""


class Nchan:
    """One nginx; there is no broker."""

    name = "nchan"
    what = "nchan in Debian's nginx, one worker: events by HTTP POST, ten a user kept in memory, no token"

    def __init__(self) -> None:
        self._port = free_port()
        self._folder: Path | None = None
        self._made_state = False
        self._server: Child | None = None

    def available(self) -> str | None:
        try:
            _programs()
        except programs.Absent as reason:
            return str(reason)
        if not STATE.exists() and not os.access(STATE.parent, os.W_OK):
            return f"nginx wants {STATE}, which only root can make"
        return None

    def version(self) -> str:
        nginx, _, env = _programs()
        told = programs.output([str(nginx), "-v"], env, errors=True).strip().rpartition("/")[2]
        packages = programs.debian(*PACKAGES).parents[1] / "archives" / "-".join(PACKAGES) / "archives"
        module = next(packages.glob("libnginx-mod-nchan_*")).name.split("_")[1].replace("%3a", ":")
        return f"nginx {told}, nchan {module}"

    async def start(self, cpu: int) -> None:
        nginx, module, env = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
        configuration = self._folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(module=module, host=HOST, port=self._port))
        self._made_state = self._made_state or not STATE.exists()
        await asyncio.to_thread(STATE.mkdir, exist_ok=True)
        command = on_core(cpu, [nginx, "-p", self._folder, "-c", configuration, "-e", "stderr"])
        self._server = Child("nginx", command, env=env, probe=self._listens, grace=0, sink=silent)
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._made_state:
            shutil.rmtree(STATE, ignore_errors=True)

    @property
    def servers(self) -> Sequence[int]:
        assert self._server is not None, "started"
        return [self._server.pid]

    @property
    def brokers(self) -> Sequence[int]:
        return []

    def token(self, user: str) -> str:  # noqa: ARG002 - it believes everybody
        return ""

    def opening(self, *, resuming: bool = False) -> Opening:  # noqa: ARG002 - only with ids of its own messages
        return Opening(self._port, "/sub/{user}", "welcome", messages=["hello"])

    def publishing(self) -> Publishing:
        return Publishing("http", self._port, "/pub/{user}", headers=["Content-Type: application/json"])

    @property
    def resumes(self) -> bool:
        return False

    async def _listens(self) -> bool:
        return refusal(self._port) is not None


def _programs() -> tuple[Path, Path, Mapping[str, str]]:
    """nginx, the module, and the environment that they need."""
    folder = programs.debian(*PACKAGES)
    return folder / "usr/sbin/nginx", folder / MODULE, programs.libraries(folder)
