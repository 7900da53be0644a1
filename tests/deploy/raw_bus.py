"""Owns a client of NATS in the protocol's own words: the server answers in order, so no refusal is missed."""

import asyncio
import base64
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nkeys

from devstack.ports import HOST

PATIENCE = 10.0
"""Seconds for an answer."""

_numbers = itertools.count(1)


class Refused(Exception):
    """The server does not let us in."""


class RawBus:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.heard: list[str] = []
        self._refusals: list[str] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, port: int, seed_file: Path | None = None, /, **claims: str) -> AsyncIterator["RawBus"]:
        """Connect, with the key of a seed if there is one, and with whatever else is claimed.

        Raises:
            Refused: the server does not let us in.
        """
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            info = json.loads((await reader.readline())[5:])
            proof = _proof(seed_file, info.get("nonce", "")) if seed_file is not None else {}
            hello: dict[str, Any] = {"verbose": False, "headers": True, "no_responders": True, **proof, **claims}
            raw = cls(reader, writer)
            if refusals := await raw.settled(f"CONNECT {json.dumps(hello)}\r\n"):
                raise Refused(refusals[0])
            yield raw
        finally:
            writer.close()

    async def publish(self, subject: str, body: bytes = b"{}", *, reply: str = "") -> list[str]:
        """What the server refuses of it."""
        self._writer.write(f"PUB {subject} {reply} {len(body)}\r\n".encode() + body + b"\r\n")
        return await self.settled()

    async def subscribe(self, subject: str) -> list[str]:
        """What the server refuses of it."""
        self._writer.write(f"SUB {subject} {next(_numbers)}\r\n".encode())
        return await self.settled()

    async def settled(self, said: str = "") -> list[str]:
        """What was refused until the server has seen all that was sent so far; `heard` has the subjects that came.

        `said` goes in one piece with the question for that: who refuses it and hangs up has nothing left to read, for
        which the kernel would take back what it answered.
        """
        self._writer.write(f"{said}PING\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            while (line := await self._reader.readline()) != b"PONG\r\n":
                words = line.decode().split()
                match words[:1]:
                    case ["MSG" | "HMSG"]:
                        self.heard.append(words[1])
                        await self._reader.readexactly(int(words[-1]) + 2)
                    case ["-ERR"]:
                        self._refusals.append(line.decode().strip())
                    case []:
                        break  # the server has hung up
        refusals, self._refusals = self._refusals, []
        return refusals


def _proof(seed_file: Path, nonce: str) -> dict[str, str]:
    pair = nkeys.from_seed(bytearray(seed_file.read_bytes()))
    signature: bytes = pair.sign(nonce.encode())
    return {"nkey": pair.public_key.decode(), "sig": base64.b64encode(signature).decode()}
