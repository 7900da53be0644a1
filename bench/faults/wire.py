"""Owns a wire: TCP connections that pass through our hands, to be cut, or to go silent without anybody being told."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from devstack.ports import HOST, free_port

CHUNK = 65_536
"""Bytes passed on at once."""


@dataclass(eq=False)
class _Strand:
    """One connection that is carried."""

    ends: tuple[StreamWriter, StreamWriter]
    silent: bool = False

    def cut(self) -> None:
        for end in self.ends:
            end.transport.abort()

    def silence(self) -> None:
        """What either side sends from now on stays with the kernel, as does the news that it has gone."""
        self.silent = True
        for end in self.ends:
            if not end.transport.is_closing():
                end.transport.pause_reading()  # type: ignore[attr-defined] # typeshed knows it of sockets only


class Wire:
    """A port of our own whose connections are carried on to another one, in both directions.

    Attributes:
        port: where to connect to.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._strands: set[_Strand] = set()
        self._severed = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Carry connections while the block runs."""
        async with asyncio.TaskGroup() as group:

            def accept(reader: StreamReader, writer: StreamWriter) -> None:
                group.create_task(self._carry(reader, writer), name="wire")

            server = await asyncio.start_server(accept, HOST, self.port)
            try:
                yield
            finally:
                server.close()
                self.cut()

    @property
    def audible(self) -> int:
        """How many connections it carries that are not silent."""
        return sum(not strand.silent for strand in self._strands)

    def cut(self) -> None:
        """End every connection; both sides are told."""
        for strand in self._strands:
            strand.cut()

    @contextlib.contextmanager
    def severed(self) -> Iterator[None]:
        """Cut, and carry no new connection while the block runs."""
        self._severed = True
        self.cut()
        try:
            yield
        finally:
            self._severed = False

    def silence(self) -> None:
        """Pass nothing on any more, not even an end, of the connections that there are. New ones are carried."""
        for strand in self._strands:
            strand.silence()

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            if self._severed:
                raise ConnectionRefusedError
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        strand = _Strand((writer, far_writer))
        self._strands.add(strand)
        pumps = [asyncio.create_task(_pump(reader, far_writer)), asyncio.create_task(_pump(far_reader, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._strands.discard(strand)
            strand.cut()
            for pump in pumps:
                pump.cancel()


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.suppress(OSError):  # cut, by us or by one of the two
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
