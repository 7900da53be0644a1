"""Owns the floor as a contender: `native/floor.c`, behind the same nats-server and stream as Tandem."""

from collections.abc import Sequence

from bench.push.compiled import program
from bench.push.contender import Opening, Publishing, on_core
from bench.push.contenders.events_stream import EventsStream, silent
from bench.push.contenders.tandem import nats_version
from devstack.ports import free_port, refusal
from devstack.processes import Child


class Floor:
    """About the least that a process can do which takes events from NATS and writes them to WebSockets."""

    name = "floor"
    what = "a program in C that does nothing but read NATS and write frames, behind the same JetStream"

    def __init__(self) -> None:
        self._port = free_port()
        self._stream: EventsStream | None = None
        self._server: Child | None = None

    def available(self) -> str | None:
        return None

    def version(self) -> str:
        return f"this commit, {nats_version()}"

    async def start(self, cpu: int) -> None:
        self._stream = EventsStream()
        await self._stream.start(cpu)
        command = on_core(cpu, [await program("floor"), str(self._port), str(self._stream.nats.port)])
        self._server = Child("floor", command, probe=self._listens, sink=silent)
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(grace=0)
        if self._stream is not None:
            await self._stream.stop()

    @property
    def servers(self) -> Sequence[int]:
        assert self._server is not None, "started"
        return [self._server.pid]

    @property
    def brokers(self) -> Sequence[int]:
        assert self._stream is not None, "started"
        return [self._stream.nats.pid]

    def token(self, user: str) -> str:  # noqa: ARG002 - it believes everybody
        return ""

    def opening(self, *, resuming: bool = False) -> Opening:  # noqa: ARG002 - it resumes nobody
        return Opening(self._port, "/{user}", '"event":"hello"')

    def publishing(self) -> Publishing:
        assert self._stream is not None, "started"
        return self._stream.publishing()

    @property
    def resumes(self) -> bool:
        return False

    async def _listens(self) -> bool:
        return refusal(self._port) is not None
