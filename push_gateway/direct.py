"""Owns direct gets: asking any replica of a stream for messages, which leaves no state at the server (NATS ADR-31)."""

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import nats.errors

from chassis.errors import BusUnavailable
from push_gateway.messages import header, status
from push_gateway.subscriber import Subscriber

SILENCE = 2.0
"""Seconds without an answer after which the further ones count as lost. A message takes a millisecond or two, also
where the server has to look for it."""

AT_ONCE = 32
"""Requests under way at the same time. Thousands of sockets that come back together wait their turn here, so that
neither the stream nor the live messages are held up by them."""

END_OF_BATCH = 204
NOT_FOUND = 404


@dataclass(slots=True)
class Answer:
    """What a replica answered.

    Attributes:
        messages: raw headers and bodies, by sequence.
        last: the sequence of the last message; 0 if there is none.
        more: whether the replica has more that match.
        up_to: the replica's own last sequence, where it says so; else 0.
    """

    messages: list[tuple[bytes, bytes]] = field(default_factory=list)
    last: int = 0
    more: bool = False
    up_to: int = 0


@dataclass(slots=True)
class _Request:
    """The answers to one request, as they come in. Each says what came before it, so that none is lost unnoticed."""

    done: asyncio.Future[Answer]
    answer: Answer = field(default_factory=Answer)

    def add(self, headers: bytes, body: bytes) -> None:
        if self.done.done():
            return
        code = status(headers)
        if code == NOT_FOUND:
            self.done.set_result(self.answer)
        elif code not in (None, END_OF_BATCH):
            self.done.set_exception(BusUnavailable(f"the stream answered with status {code}"))
        elif _number(headers, b"Nats-Last-Sequence") != self.answer.last:
            self.done.set_exception(BusUnavailable("an answer of the stream was lost"))
        elif code is None:
            self.answer.last = _number(headers, b"Nats-Sequence")
            self.answer.messages.append((headers, body))
        else:
            self.answer.more = _number(headers, b"Nats-Num-Pending") > 0
            self.answer.up_to = _number(headers, b"Nats-UpTo-Sequence")
            self.done.set_result(self.answer)


class DirectGet:
    """Asks one stream, over a connection of its own: live messages do not queue behind what is read."""

    name = "direct get"

    def __init__(self, client: Subscriber, stream: str) -> None:
        self._client = client
        self._subject = f"$JS.API.DIRECT.GET.{stream}"
        self._inbox = ""
        self._subscribing = asyncio.Lock()
        self._numbers = itertools.count()
        self._requests: dict[bytes, _Request] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def ask(self, **request: Any) -> Answer:
        """Send a request as ADR-31 has it and wait for all of its answers.

        Raises:
            BusUnavailable: they did not come, or not all of them.
        """
        async with self._turns:
            await self._be_reachable()
            number = b"%d" % next(self._numbers)
            waiting = self._requests[number] = _Request(asyncio.get_running_loop().create_future())
            try:
                reply = f"{self._inbox}.{number.decode()}"
                await self._client.publish(self._subject, json.dumps(request).encode(), reply=reply)
                return await _all_of(waiting)
            except nats.errors.Error as error:
                raise BusUnavailable(f"reading from the stream: {error!r}") from error
            finally:
                del self._requests[number]

    async def run(self) -> None:
        """Watch that messages are taken over as they should be."""
        await self._client.failed

    async def _be_reachable(self) -> None:
        """Subscribe to the answers, once."""
        async with self._subscribing:
            if not self._inbox:
                inbox = self._client.new_inbox()
                await self._client.take(f"{inbox}.*", self._answered)
                self._inbox = inbox

    def _answered(self, subject: bytes, _: bytes, headers: bytes | None, body: bytes) -> None:
        request = self._requests.get(subject[subject.rindex(b".") + 1 :])
        if request is not None and headers is not None:
            request.add(headers, body)


async def _all_of(request: _Request) -> Answer:
    while not request.done.done():
        heard = len(request.answer.messages)
        await asyncio.wait((request.done,), timeout=SILENCE)
        if len(request.answer.messages) == heard and not request.done.done():
            raise BusUnavailable("reading from the stream: no answer")
    return request.done.result()


def _number(headers: bytes, name: bytes) -> int:
    return int(header(headers, name) or 0)
