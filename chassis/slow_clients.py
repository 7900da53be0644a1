"""Owns that a client which sends its request slowly, or none at all, holds a connection for a bounded time only.

uvicorn closes a connection that idles between two requests. It would wait for ever for the first one, and for the end
of any: some thousand connections with a byte a minute each, and nobody else is served ("slowloris").
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_TIMEOUT = 20.0
"""Seconds for a whole request, headers and body: at most 64 KiB, for which a bad mobile line takes a few seconds."""


class ImpatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with an end to waiting. How long the answer takes is no business of it."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begin_to_wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._patience is None:  # the first request is waited for since the connection was made
            self._begin_to_wait()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def _begin_to_wait(self) -> None:
        self._patience = self.loop.call_later(REQUEST_TIMEOUT, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
