"""Owns how the lines of many processes share one terminal: each behind the name of the process it came from."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable
from typing import Final

from devstack.waiting import until

Sink = Callable[[str, str], None]
"""Takes a process's name and one line of its output, without the line end."""

COLOURS: Final = (36, 33, 32, 35, 34, 96, 93, 92)
"""SGR codes, given to the names in the order in which they first speak. No red: that is for errors."""

WIDTH: Final = len("connection")
"""Characters kept for a name: the longest one in the stack."""

READ_SIZE: Final = 65_536  # bytes; what a Linux pipe holds
LONGEST_LINE: Final = 65_536  # bytes; a line that goes on for longer comes in pieces, so that memory stays bounded


class Printer:
    """Prints lines to standard output as `name       | line`."""

    def __init__(
        self, *, width: int = WIDTH, colour: bool | None = None, reader_gone: Callable[[], None] | None = None
    ) -> None:
        """Make a printer.

        Args:
            width: characters kept for a name.
            colour: whether names are coloured; if not given, on a terminal and without NO_COLOR (no-color.org).
            reader_gone: called instead of raising BrokenPipeError, when whoever read our output has gone. That is
                what Ctrl-C does to the `tee` in `make run | tee log`, while we still have children to stop.
        """
        self._width = width
        self._colour = on_terminal() and not os.environ.get("NO_COLOR") if colour is None else colour
        self._reader_gone = reader_gone
        self._colours: dict[str, int] = {}
        self._last = time.monotonic()  # when the last line was printed

    def __call__(self, name: str, line: str) -> None:
        """Print one line of a process."""
        prefix = f"{name:<{self._width}} |"
        if self._colour:
            code = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            prefix = f"\x1b[{code}m{prefix}\x1b[0m"
        self.plain(f"{prefix} {line}")

    def plain(self, text: str) -> None:
        """Print a text of our own; at once, since its reader may be waiting for it at the other end of a pipe."""
        try:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
        except BrokenPipeError:
            if self._reader_gone is None:
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())  # what is still to come, and what the buffer still holds
            os.close(nowhere)
            self._reader_gone()
        self._last = time.monotonic()

    async def settle(self, *, quiet: float = 0.1, within: float = 1.0) -> None:
        """Wait until nothing has been printed for `quiet` seconds, at most `within`.

        For a text that should be the last one on the screen: processes log their start-up from pipes, a moment late.
        """
        await until(lambda: time.monotonic() - self._last >= quiet, within=within)


def on_terminal() -> bool:
    """Whether a person reads the output as it comes."""
    return sys.stdout.isatty()


async def lines_from(read_end: int) -> AsyncGenerator[str]:
    """Give the lines that come out of a pipe until its last writer is gone, and close it."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    try:
        rest = b""
        while chunk := await reader.read(READ_SIZE):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                yield line.decode(errors="replace").rstrip("\r")
        if rest:
            yield rest.decode(errors="replace")
    finally:
        transport.close()
