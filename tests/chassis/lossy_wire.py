"""Owns the way of one client to nats-server, on which chosen messages are lost, or held up for as long as we like."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from typing import Literal

from devstack.ports import HOST, free_port

Fault = Literal["publish dropped", "cut before publish", "cut before ack", "held up"]
"""A message that is dropped alone is what a change of leaders in a cluster makes of it."""

WITH_PAYLOAD = (b"PUB", b"HPUB", b"MSG", b"HMSG")
"""The operations whose line ends with the length of what follows it (docs.nats.io, "Client Protocol")."""


class LossyWire:
    """Carries connections to a server, whole protocol messages at a time.

    Attributes:
        port: where to connect to.
    """

    def __init__(self, target: int, *, subject: str, stream: str) -> None:
        """Faults concern what is published to subjects beginning with `subject`, and what `stream` answers to that."""
        self.port = free_port()
        self._target = target
        self._publish = f"HPUB {subject}".encode()
        self._ack = f'{{"stream":"{stream}"'.encode()
        self._fault: Fault | None = None
        self._passing = 0
        self._flowing = asyncio.Event()
        self._flowing.set()

    def break_at(self, fault: Fault, number: int) -> None:
        """Do this to the so-manyth publish from now on, or to its ack."""
        self._fault, self._passing = fault, number - 1

    def mend(self) -> None:
        """Carry everything from now on, and what was held up first."""
        self._fault = None
        self._flowing.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["LossyWire"]:
        """Carry connections while the block runs."""
        async with asyncio.TaskGroup() as group:
            carried: list[asyncio.Task[None]] = []

            def accept(reader: StreamReader, writer: StreamWriter) -> None:
                carried.append(group.create_task(self._carry(reader, writer)))

            server = await asyncio.start_server(accept, HOST, self.port)
            try:
                yield self
            finally:
                server.close()
                for task in carried:
                    task.cancel()

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, self._target)
        ways = [asyncio.create_task(self._there(reader, back)), asyncio.create_task(self._back(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, back):
                end.transport.abort()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _there(self, reader: StreamReader, writer: StreamWriter) -> None:
        async for message in _messages(reader):
            if message.startswith(self._publish):
                if self._strikes("publish dropped"):
                    continue
                if self._strikes("cut before publish"):
                    return
                if self._strikes("held up"):
                    self._flowing.clear()
            await self._flowing.wait()
            writer.write(message)

    async def _back(self, reader: StreamReader, writer: StreamWriter) -> None:
        async for message in _messages(reader):
            if self._ack in message and self._strikes("cut before ack"):
                return
            writer.write(message)

    def _strikes(self, fault: Fault) -> bool:
        if self._fault != fault:
            return False
        self._passing -= 1
        if self._passing >= 0:
            return False
        self._fault = None
        return True


async def _messages(reader: StreamReader) -> AsyncIterator[bytes]:
    """The messages of NATS's protocol, up to the end of the connection."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while line := await reader.readline():
            words = line.split()
            if words and words[0] in WITH_PAYLOAD:
                line += await reader.readexactly(int(words[-1]) + 2)  # and its CR LF
            yield line
