"""Owns asking the stream where it stands, once for all who want to know at the same time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from chassis.errors import BusUnavailable
from chassis.streams import Stream, epoch_of
from contracts.subjects import UserId, user_filter


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where the stream stands, as its leader says: sequences from `first` to `last`, in the history `epoch`."""

    epoch: str
    first: int
    last: int


class StreamWatch:
    """Asks the stream's leader. Callers that wait at the same time share one answer, asked for after all of them.

    Attributes:
        latest: the last answer, None before the first.
    """

    def __init__(self, stream: Stream) -> None:
        self.latest: StreamState | None = None
        self._stream = stream
        self._on_new_history: list[Callable[[StreamState], None]] = []
        self._next: asyncio.Task[StreamState] | None = None
        self._asking = asyncio.Lock()

    def on_new_history(self, call: Callable[[StreamState], None]) -> None:
        """Have `call` called whenever the stream turns out not to be the one that it was, or to have lost its end."""
        self._on_new_history.append(call)

    async def state(self) -> StreamState:
        """Where the stream stands at a moment after this call.

        Subscriptions made before this call are in effect at the leader by then: the question travels the same way,
        behind them.

        Raises:
            BusUnavailable: there is no answer, or no stream yet.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._ask(), name="stream state")
        return await asyncio.shield(self._next)

    async def has_behind(self, user: UserId, seq: int) -> bool:
        """Whether the stream, as its leader has it, holds anything of `user` behind a sequence.

        Raises:
            BusUnavailable: there is no answer.
        """
        return await self._stream.next_message(user_filter(user), after=seq) is not None

    async def _ask(self) -> StreamState:
        async with self._asking:
            self._next = None  # whoever comes from now on must be asked for anew
            info = await self._stream.info()
        if info is None:
            raise BusUnavailable(f"there is no stream {self._stream.name} yet")
        epoch = epoch_of(info)
        before, now = self.latest, StreamState(epoch, info.state.first_seq, info.state.last_seq)
        self.latest = now
        if before is not None and (now.epoch != before.epoch or now.last < before.last):
            for call in self._on_new_history:
                call(now)
        return now
