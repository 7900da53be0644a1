"""Owns several gateways on one port: a process for each core, started anew if it dies. They share nothing but the port.

The kernel gives each new connection to one of them (SO_REUSEPORT, socket(7)). Their listening sockets are made here and
inherited: what comes while a worker is being started anew waits for it, and is not refused.
"""

import asyncio
import os
import socket
import sys
import tempfile

import structlog
from prometheus_client import multiprocess

from chassis.process import Service, listen, run_together
from push_gateway.settings import Settings

log = structlog.get_logger(__name__)

LISTENER = "PUSH_LISTENER"
"""The environment variable in which a worker finds the file descriptor of its listening socket."""

PAUSE = 1.0
"""Seconds until a worker that died is started anew: one that cannot live must not keep the machine busy."""


def is_worker() -> bool:
    """Whether this process was started by `serve`."""
    return LISTENER in os.environ


def inherited(stop: asyncio.Event) -> socket.socket:
    """The listening socket of this worker. `stop` is set when the process that started it has died."""
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)  # a pipe into which nobody writes: its end
    return socket.socket(fileno=int(os.environ[LISTENER]))


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Keep `settings.workers` gateways running until `stop` is set; then let each of them drain."""
    listen(settings.host, settings.port, variable="PUSH_PORT").close()  # or the port is somebody else's
    listeners = [
        listen(settings.host, settings.port, variable="PUSH_PORT", shared=True) for _ in range(settings.workers)
    ]
    with tempfile.TemporaryDirectory(prefix="tandem-push-") as metrics:
        workers = [Worker(number, listener, metrics) for number, listener in enumerate(listeners)]

        async def drain() -> None:
            await asyncio.gather(*(worker.stop() for worker in workers))

        services: list[Service] = [*workers]
        await run_together(services, stop=stop, drain=drain)


class Worker:
    """One of the gateways."""

    def __init__(self, number: int, listener: socket.socket, metrics: str) -> None:
        """`metrics` is the folder through which the workers add up what they count."""
        self.name = f"worker {number}"
        self._listener = listener
        self._metrics = metrics
        self._process: asyncio.subprocess.Process | None = None
        self._ended = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        while True:
            self._process = await self._start()
            code = await self._process.wait()
            multiprocess.mark_process_dead(self._process.pid, self._metrics)  # type: ignore[no-untyped-call]
            if self._stopping:
                self._ended.set()
                await asyncio.Event().wait()  # until we are cancelled
            log.error("a worker died and is started anew", worker=self.name, exit_code=code)
            await asyncio.sleep(PAUSE)

    async def stop(self) -> None:
        """Tell it to drain, and wait until it has."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._ended.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        descriptor = self._listener.fileno()
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "push_gateway"),
            env={**os.environ, LISTENER: str(descriptor), "PROMETHEUS_MULTIPROC_DIR": self._metrics},
            stdin=asyncio.subprocess.PIPE,
            pass_fds=[descriptor],
        )
