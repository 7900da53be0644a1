"""Owns which tokens were revoked: following the stream that says it, saying it, and refusing those tokens.

The stream keeps the last revocation of each user for longer than any token is taken, so a process that was not there
when it was said reads it when it starts. Until it has read them once, it takes no token at all.
"""

import asyncio
import contextlib
import datetime as dt
import json
import time
from collections.abc import Callable

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js.api import StreamInfo
from nats.js.errors import APIError

from chassis.bus import REQUEST_TIMEOUT, heeding_cancellation
from chassis.errors import BusUnavailable, InvalidToken
from chassis.streams import Stream, epoch_of

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between looks at the stream: one small question. A revoked token is refused everywhere within 5 s."""

BATCH = 1_000
"""Revocations read at once, some 300 KiB."""

READ_AGAIN = 0.1
"""Seconds before a replica that lags is asked again."""

ANY = ">"

Read = Callable[[str, bytes], tuple[str, float]]
"""Takes the subject and the body of a message: whose tokens are revoked, and before which moment they were issued.
Raises ValueError for what is no revocation."""


class Revocations:
    """All revocations, as far as they are known here."""

    name = "revocations"

    def __init__(
        self, stream: Stream, *, read: Read, kept: dt.timedelta, clock: Callable[[], float] = time.time
    ) -> None:
        """`kept` is for how long the stream keeps a message."""
        self.known = False
        self._stream = stream
        self._read = read
        self._kept = kept.total_seconds()
        self._clock = clock
        self._revoked: dict[str, float] = {}
        self._epoch = ""
        self._position = 0
        self._catching_up = asyncio.Lock()
        self._on_news: list[Callable[[], None]] = []

    def on_news(self, call: Callable[[], None]) -> None:
        """Have `call` called whenever more is revoked than before."""
        self._on_news.append(call)

    def revokes(self, subject: str, issued_at: float | None) -> bool:
        """Whether a token is revoked. One that does not say when it was issued is older than any revocation."""
        before = self._revoked.get(subject)
        return before is not None and (issued_at is None or issued_at < before)

    def check(self, subject: str, issued_at: float | None) -> None:
        """Raises:
        InvalidToken: the token is revoked, or so old that a revocation of it may be forgotten.
        BusUnavailable: it is not known yet what is revoked.
        """
        if not self.known:
            raise BusUnavailable("it is not known yet which tokens were revoked")
        if self.revokes(subject, issued_at):
            raise InvalidToken("the token was revoked; get a new one")
        if issued_at is not None and issued_at < self._clock() - self._kept:
            raise InvalidToken("the token was issued too long ago; get a new one")

    async def say(self, subject: str, body: bytes) -> None:
        """Store a revocation. When this returns, it is heeded here, and soon everywhere.

        Raises:
            BusUnavailable: it is not certain that it is stored.
        """
        await self._stream.ensure()
        try:
            await self._stream.bus.jetstream.publish(subject, body, stream=self._stream.name)
        except (APIError, nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"the revocation may not be stored: {error!r}") from error
        await self.catch_up()

    async def run(self) -> None:
        """Follow the stream until cancelled. While NATS is away, what is known stays known."""
        await self._stream.bus.wait_until_connected()
        while True:
            with contextlib.suppress(BusUnavailable):  # the bus has logged that it is away
                await self.catch_up()
            await asyncio.sleep(EVERY)

    async def catch_up(self) -> None:
        """Read what was revoked since the last time.

        Raises:
            BusUnavailable: the stream does not answer.
        """
        async with self._catching_up:
            info = await self._stream.info()
            news = info is not None and await self._read_up_to(info)
            self.known = True
            if news:
                for call in self._on_news:
                    call()

    async def _read_up_to(self, info: StreamInfo) -> bool:
        """Whether there was anything new up to where the stream stands."""
        epoch, last = epoch_of(info), info.state.last_seq
        if epoch != self._epoch or last < self._position:  # a new stream forgets, and we do not
            self._epoch, self._position = epoch, 0
        news = self._position < last
        while self._position < last:
            messages = await self._behind(self._position)
            for message in messages:
                self._take(message)
            if messages:
                self._position = int((messages[-1].headers or {})["Nats-Sequence"])
            elif await self._stream.next_message(ANY, after=self._position) is None:
                self._position = last  # what stood there was purged, or is too old
            else:
                await asyncio.sleep(READ_AGAIN)
        return news

    def _take(self, message: Msg) -> None:
        subject = (message.headers or {}).get("Nats-Subject", "")
        try:
            user, before = self._read(subject, message.data)
        except ValueError as error:
            log.warning("what stands among the revocations is none", subject=subject, error=str(error))
            return
        self._revoked[user] = max(before, self._revoked.get(user, 0.0))

    async def _behind(self, seq: int) -> list[Msg]:
        """The next messages behind a sequence that some replica has, by a direct get (NATS ADR-31)."""
        client, messages = self._stream.bus.client, list[Msg]()
        inbox, request = client.new_inbox(), {"batch": BATCH, "seq": seq + 1, "next_by_subj": ANY}
        try:
            answers = await client.subscribe(inbox)
            try:
                subject = f"$JS.API.DIRECT.GET.{self._stream.name}"
                await client.publish(subject, json.dumps(request).encode(), reply=inbox)
                while True:
                    with heeding_cancellation():
                        message = await answers.next_msg(timeout=REQUEST_TIMEOUT)
                    match (message.headers or {}).get("Status"):
                        case None:
                            messages.append(message)
                        case "204" | "404":
                            return messages
                        case status:
                            raise BusUnavailable(f"{self._stream.name} cannot be read: status {status}")
            finally:
                await answers.unsubscribe()
        except (nats.errors.Error, TimeoutError) as error:
            raise BusUnavailable(f"{self._stream.name} does not answer: {error!r}") from error
