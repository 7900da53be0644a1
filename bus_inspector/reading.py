"""Owns reading a stream: complete, in order, and leaving nothing behind at the server (direct gets, NATS ADR-31).

Any replica may answer, also one that lags behind; so where an answer ends is compared with what the leader has.
"""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import nats.errors
from nats.aio.msg import Msg

from bus_inspector.errors import Away, Missing
from chassis.bus import REQUEST_TIMEOUT, Bus
from chassis.errors import BusUnavailable
from chassis.streams import Stream

BATCH = 1_000
BATCH_BYTES = 4 * 1024 * 1024
"""Messages and bytes of one read, which are held in memory."""

READ_AGAIN = 0.1
"""Seconds before a replica that lags is asked again."""

FOLLOW_EVERY = 0.05
"""Seconds between looks for new messages when there were none: a person does not see it, the server neither."""

NOTHING = 0
"""Where reading from the beginning begins: sequences start at 1."""

EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""The server counts nanoseconds in 64 bits: what is before 1678 would be after everything to it."""

_TIME = "Nats-Time-Stamp"


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it stands in a stream. `at` is when the server stored it, by the server's clock."""

    seq: int
    at: dt.datetime
    subject: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a replica has; `more` if that was not all that it has."""

    messages: list[Stored]
    more: bool


class StreamReader:
    """Reads one stream."""

    def __init__(self, bus: Bus, stream: Stream) -> None:
        self._client = bus.client
        self._stream = stream

    async def info(self) -> dict[str, Any]:
        """What the leader says of the stream: `config`, `state`, `created`, and `ts`, the time at the server.

        Raises:
            Away: nobody answers.
            Missing: there is no such stream.
        """
        answer = await ask_jetstream(self._client, f"$JS.API.STREAM.INFO.{self._stream.name}")
        if "error" in answer:
            raise Missing(f"the stream {self._stream.name}: {answer['error'].get('description')}")
        return answer

    async def last(self) -> int:
        """The sequence of its last message, 0 before the first."""
        return int((await self.info())["state"]["last_seq"])

    async def at(self, seq: int) -> Stored | None:
        """The message at a sequence, if there is one."""
        answer = await self.ask(batch=1, seq=seq)
        return next((message for message in answer.messages if message.seq == seq), None)

    async def before(self, moment: dt.datetime) -> int:
        """The sequence behind which everything stands that was stored at a moment or later."""
        info = await self.info()
        if moment > moment_of(info["ts"]):
            return int(info["state"]["last_seq"])
        while True:
            answer = await self.ask(batch=1, start_time=_rfc3339(max(moment, EARLIEST)))
            if answer.messages:
                return answer.messages[0].seq - 1
            state = (await self.info())["state"]
            if state["messages"] == 0 or moment_of(state["last_ts"]) < moment:
                return int(state["last_seq"])
            await asyncio.sleep(READ_AGAIN)

    async def read(
        self, *, after: int = NOTHING, through: int | None = None, subjects: str | None = None
    ) -> AsyncIterator[list[Stored]]:
        """Everything behind `after` and up to `through` (now's last, if that is not given) that `subjects` matches.

        Raises:
            Away: the stream does not answer.
        """
        end = await self.last() if through is None else through
        while after < end:
            answer = await self.ask(**_request(after, subjects))
            if messages := [message for message in answer.messages if message.seq <= end]:
                after = messages[-1].seq
                yield messages
            if answer.more:
                continue
            try:
                behind = await self._stream.next_message(subjects or ">", after=after)
            except BusUnavailable as error:
                raise Away(str(error)) from error
            if behind is None or behind.seq > end:
                return
            await asyncio.sleep(READ_AGAIN if behind.seq == after else 0)

    async def follow(self, *, after: int, subjects: str | None = None) -> AsyncIterator[list[Stored]]:
        """Everything behind `after`, and then whatever is stored, until cancelled. NATS may go away meanwhile."""
        while True:
            try:
                answer = await self.ask(**_request(after, subjects))
            except Away:
                answer = Answer([], more=False)
            if answer.messages:
                after = answer.messages[-1].seq
                yield answer.messages
            if not answer.more:
                await asyncio.sleep(FOLLOW_EVERY)

    async def ask(self, **request: Any) -> Answer:
        """What any replica answers to a batched direct get.

        Raises:
            Away: not all of the answer came.
        """
        inbox, gathering = self._client.new_inbox(), _Gathering()
        try:
            subscription = await self._client.subscribe(inbox, cb=gathering.take)
            try:
                subject = f"$JS.API.DIRECT.GET.{self._stream.name}"
                await self._client.publish(subject, json.dumps(request).encode(), reply=inbox)
                end = await gathering.end()
            finally:
                await subscription.unsubscribe()
        except (nats.errors.Error, TimeoutError) as error:
            raise Away(f"the stream {self._stream.name} does not answer: {error!r}") from error
        match end.get("Status"):
            case "204" | "404":
                return Answer(gathering.messages, more=int(end.get("Nats-Num-Pending", "0")) > 0)
            case status:
                raise Away(f"the stream {self._stream.name} cannot be read: status {status}")


class _Gathering:
    """The answers to one request, as they come. A callback costs half of what `next_msg` does."""

    def __init__(self) -> None:
        self.messages: list[Stored] = []
        self._ended: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()

    async def take(self, message: Msg) -> None:
        """One of them. Each says what came before it: of an interrupted connection some may be missing."""
        headers: dict[str, str] = message.headers or {}
        before = self.messages[-1].seq if self.messages else NOTHING
        if self._ended.done():
            return
        if int(headers.get("Nats-Last-Sequence", before)) != before:
            self._ended.set_exception(Away("the answer of the stream was interrupted"))
        elif "Status" not in headers:
            self.messages.append(_stored(message, headers))
        else:
            self._ended.set_result(headers)

    async def end(self) -> Mapping[str, str]:
        """The headers of the message that ends the answer.

        Raises:
            TimeoutError: nothing came for some time.
        """
        while not self._ended.done():
            before = len(self.messages)
            await asyncio.wait((self._ended,), timeout=REQUEST_TIMEOUT)
            if len(self.messages) == before and not self._ended.done():
                raise TimeoutError("no answer")
        return self._ended.result()


async def ask_jetstream(client: Any, subject: str, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What JetStream answers to a request of its API, its errors included.

    Raises:
        Away: nobody answers.
    """
    try:
        reply = await client.request(subject, json.dumps(request or {}).encode(), timeout=REQUEST_TIMEOUT)
    except (nats.errors.Error, TimeoutError) as error:
        raise Away(f"JetStream does not answer {subject}: {error!r}") from error
    answer: dict[str, Any] = json.loads(reply.data)
    return answer


def moment_of(text: str) -> dt.datetime:
    """A time as NATS writes it, with nanoseconds."""
    return dt.datetime.fromisoformat(text)


def _request(after: int, subjects: str | None) -> dict[str, Any]:
    request: dict[str, Any] = {"batch": BATCH, "max_bytes": BATCH_BYTES, "seq": after + 1}
    return request if subjects is None else {**request, "next_by_subj": subjects}


def _rfc3339(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _stored(message: Msg, headers: dict[str, str]) -> Stored:
    return Stored(
        int(headers["Nats-Sequence"]), moment_of(headers[_TIME]), headers["Nats-Subject"], headers, message.data
    )
