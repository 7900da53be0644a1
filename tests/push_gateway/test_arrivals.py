"""Events taken out of what NATS sends: in C and in Python alike, whatever else comes and wherever it is cut."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.protocol.parser import Parser

from push_gateway import arrivals, native
from push_gateway.arrivals import Arrivals
from push_gateway.messages import StoredEvent
from push_gateway.subscriber import Subscriber
from tests.conftest import running_bus
from tests.push_gateway.clients import PATIENCE
from tests.push_gateway.stage import MonitoredNats

compiled = pytest.mark.skipif(
    native.take is None,
    reason="what is in C is not compiled: `python -m push_gateway.native` does it, given a compiler",
)

ALICE, BOB, OTHERS, READER = 7, 8, 9, 10
"""Subscriptions: two whose live events are taken, one that nats-py keeps, and one to which a consumer delivers."""

READ = b"$JS.ACK.EVENTS.abc.1.42.7.1700000000.5 "
"""The reply subject of its 7th message, which stands at 42 in the stream and has 5 behind it (NATS ADR-15)."""

BODY = b'{"id":"x"}'
HEADERS = b"NATS/1.0\r\nce-id: e1\r\nce-type: inbox:deleted\r\nNats-Sequence: 42\r\nNats-Last-Sequence: 40\r\n\r\n"

Said = list[tuple[Any, ...]]


def message(subscription: int, headers: bytes = HEADERS, body: bytes = BODY, reply: bytes = b"") -> bytes:
    """A message as the server sends it."""
    line = b"HMSG push.alice.inbox %d %b%d %d" % (subscription, reply, len(headers), len(headers) + len(body))
    return b"%b\r\n%b%b\r\n" % (line, headers, body)


class Listener:
    """Notes what a parser says, in the place of nats-py's client: what it has parsed itself, and what was taken."""

    def __init__(self) -> None:
        self.said: Said = []
        self.arrivals = Arrivals(self, lambda error: self.said.append(("failed", repr(error))))  # type: ignore[arg-type]
        self.arrivals.takers.update({ALICE: self._taker("alice"), BOB: self._taker("bob")})
        self.arrivals.readers[READER] = self._read

    def _taker(self, name: str) -> Callable[[StoredEvent], None]:
        def take(event: StoredEvent) -> None:
            self.said.append((name, event))
            if event.seq == 13:
                raise LookupError("13")

        return take

    def _read(self, event: StoredEvent, user: bytes, number: int, pending: int) -> None:
        self.said.append(("read", event, user, number, pending))
        if event.seq == 13:
            raise LookupError("13")

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        if not self.arrivals.take(sid, subject, reply, headers, data):
            self.said.append((sid, subject, reply, data, headers))

    async def _process_ping(self) -> None:
        self.said.append(("ping",))

    async def _process_pong(self) -> None:
        self.said.append(("pong",))

    async def _process_err(self, error: str) -> None:
        self.said.append(("error", error))

    async def _process_info(self, info: object) -> None:
        self.said.append(("info", info))


async def heard(pieces: list[bytes]) -> Said:
    """What is said when all of it comes in piece by piece, each handed to nats-py's reading task."""
    listener = Listener()
    for piece in pieces:
        await listener.arrivals.parse(piece)
    return listener.said


async def in_python(pieces: list[bytes]) -> Said:
    """The same without what is in C."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrivals, "take", None)
        return await heard(pieces)


def headers(lines: list[bytes]) -> bytes:
    """A block of headers."""
    return b"NATS/1.0\r\n%b\r\n" % b"".join(line + b"\r\n" for line in lines)


numbers = st.integers(0, 30).map(lambda number: b"%d" % number) | st.sampled_from(
    [b"", b" 5 ", b"+5", b"-5", b"5x", b"007", b"9" * 18, b"9" * 19, b"9" * 20, b"9" * 21, b"\xb2"]
)
words = st.sampled_from([b"inbox:deleted", b"e1", b"", b" spaced\t", b'a"b', b"a\\b", b"\xc3\xa9", b"a\tb"])
lines = st.lists(
    st.builds(
        lambda name, value: name + b":" + value,
        st.sampled_from([b"ce-type", b"ce-id", b"Nats-Sequence", b"Nats-Last-Sequence", b"Nats-Sequence-X",
                         b"nats-sequence", b"ce-republished", b"ce-time"]),
        numbers | words,
    ),
    max_size=8,
)  # fmt: skip
usual = st.builds(
    lambda kind, sequence, previous, more: headers(
        [*more, b"ce-type: " + kind, b"ce-id: e1", b"Nats-Sequence: " + sequence, b"Nats-Last-Sequence: " + previous]
    ),
    words, numbers, numbers, lines,
)  # fmt: skip
bodies = st.sampled_from(
    [BODY, b"{}", b"", b"[]", b"null", b'{"a":1', b'{"a":NaN}', b'{"a":"NaN"}', b'{"a":-Infinity}', b'{"a":"\xff"}',
     b"{}{}", b'{"a":"\r\n"}', b'{"\\r\\n":"PING"}', b'{"a":"%b"}' % (b"x" * 130), b'{"a":"%b"}' % (b"x" * 70_000)]
)  # fmt: skip
replies = st.sampled_from([b"", b"reply ", READ, b"$JS.ACK.hub.hash.EVENTS.abc.1.42.7.17.5.token "]) | st.builds(
    lambda tokens: b"$JS.ACK.%b " % b".".join(tokens),
    st.lists(st.sampled_from([b"1", b"13", b"+5", b"x", b"", b"9" * 19]), max_size=12),
)
elements = st.one_of(
    st.builds(message, st.sampled_from([ALICE, BOB, OTHERS, READER]), usual, bodies, replies),
    st.builds(message, st.sampled_from([ALICE, OTHERS, READER]), lines.map(headers), bodies, replies),
    st.sampled_from(
        [b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b"-ERR 'Slow Consumer'\r\n", b"MSG push.bob.inbox 8 2\r\n{}\r\n"]
    ),
    st.just(message(ALICE)),
    st.just(message(READER, reply=READ)),
)


@st.composite
def cut(draw: st.DrawFn) -> list[bytes]:
    """What a server sends, in pieces of any size."""
    whole = b"".join(draw(st.lists(elements, max_size=6)))
    places = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    return [whole[start:end] for start, end in zip([0, *places], [*places, len(whole)], strict=True)]


@compiled
@settings(max_examples=300)
@given(cut())
async def test_what_is_in_c_says_what_python_says(pieces: list[bytes]) -> None:
    """Of what is an event and of what is none, of ours and of others', in order, cut anywhere."""
    assert await heard(pieces) == await in_python(pieces)


@pytest.mark.parametrize("way", [pytest.param(heard, marks=compiled), in_python])
async def test_an_event_is_what_the_server_has_sent(way: Callable[[list[bytes]], Any]) -> None:
    """And the message of another subscription is left to nats-py, in its place."""
    frame = b'{"event":"inbox:deleted","seq":42,"id":"e1","data":{"id":"x"}}'
    event = StoredEvent(b"inbox", 42, 40, b"\x81%c%b" % (len(frame), frame), HEADERS)
    said = await way([message(ALICE) + message(OTHERS) + b"PING\r\n" + message(BOB)])
    other = (OTHERS, b"push.alice.inbox", b"", BODY, HEADERS)
    assert said == [("alice", event), other, ("ping",), ("bob", event)]
    assert all(type(event) is StoredEvent for name, event in [said[0], said[3]])


@pytest.mark.parametrize("way", [pytest.param(heard, marks=compiled), in_python])
async def test_what_a_consumer_delivers_is_an_event_too(way: Callable[[list[bytes]], Any]) -> None:
    """Where it stands is said by its reply subject; what is no event comes without a frame, and what the server says
    about the request is left to nats-py."""
    headers = b"NATS/1.0\r\nce-id: e1\r\nce-type: inbox:deleted\r\n\r\n"
    frame = b'{"event":"inbox:deleted","seq":42,"id":"e1","data":{"id":"x"}}'
    status = b"NATS/1.0 408 Request Timeout\r\n\r\n"
    said = await way(
        [message(READER, headers, reply=READ), message(READER, status, b""), message(READER, headers, b"[]", READ)]
    )
    assert said == [
        ("read", StoredEvent(b"inbox", 42, None, b"\x81%c%b" % (len(frame), frame)), b"alice", 7, 5),
        (READER, b"push.alice.inbox", b"", b"", status),
        ("read", StoredEvent(b"", 42, None, b""), b"alice", 7, 5),
    ]


@compiled
async def test_what_is_usual_is_left_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is parsed in Python, also if it comes in two pieces."""

    async def refuse(*_: object) -> None:
        raise AssertionError("it was parsed in Python")

    monkeypatch.setattr(Parser, "parse", refuse)
    stream = message(ALICE) + message(BOB) + message(READER, reply=READ)
    assert [said[0] for said in await heard([stream[:150], stream[150:-1], stream[-1:]])] == ["alice", "bob", "read"]


@pytest.mark.parametrize("way", [pytest.param(heard, marks=compiled), in_python])
async def test_what_a_taker_raises_is_reported_and_stops_nothing(way: Callable[[list[bytes]], Any]) -> None:
    """Raised where it happens it would end nats-py's reading without a word."""
    unlucky = HEADERS.replace(b"42", b"13").replace(b"40", b"12")
    said = await way([message(ALICE, unlucky) + message(BOB)])
    assert [name for name, _ in said] == ["alice", "failed", "bob"]
    assert said[1] == ("failed", "LookupError('13')")


@pytest.fixture
async def subscriber(shared_nats: MonitoredNats) -> AsyncIterator[Subscriber]:
    """A connected one."""
    client = Subscriber()
    async with running_bus(shared_nats, client):
        yield client


class Tap:
    """A connection that is listened at, and the reader that gets what is left."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.reader = asyncio.StreamReader()
        self.protocol = asyncio.StreamReaderProtocol(self.reader)

    def get_protocol(self) -> asyncio.Protocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        assert protocol is self.protocol

    async def read(self) -> None:
        """What nats-py's reading task does when it has its turn."""
        await self.listener.arrivals.parse(await self.reader.read(1 << 20))


@compiled
async def test_what_comes_in_is_taken_before_anybody_is_woken_and_never_out_of_turn() -> None:
    """As soon as something is left for nats-py, all that comes behind it waits for its turn as well."""
    tap = Tap()
    tap.protocol.data_received(b"PING\r\n")  # before anybody listens
    tap.listener.arrivals.tap(tap.reader, tap)  # type: ignore[arg-type]
    tap.protocol.data_received(message(ALICE))
    assert tap.listener.said == []
    await tap.read()
    assert [said[0] for said in tap.listener.said] == ["ping", "alice"]
    tap.protocol.data_received(message(BOB) + message(ALICE)[:60])
    tap.protocol.data_received(message(ALICE)[60:] + b"PONG\r\n")
    assert [said[0] for said in tap.listener.said[2:]] == ["bob", "alice"]
    tap.protocol.data_received(message(BOB))
    await tap.read()
    assert [said[0] for said in tap.listener.said[4:]] == ["pong", "bob"]


@compiled
async def test_an_old_connection_says_nothing_into_a_new_one() -> None:
    """nats-py begins anew with another reader; what the old one still brings is for nobody."""
    old = Tap()
    old.listener.arrivals.tap(old.reader, old)  # type: ignore[arg-type]
    old.protocol.data_received(message(ALICE)[:60])
    old.listener.arrivals.reset()
    old.protocol.data_received(message(ALICE)[60:])
    await old.listener.arrivals.parse(message(BOB))
    assert [said[0] for said in old.listener.said] == ["bob"]


async def test_live_events_come_over_a_real_connection(subscriber: Subscriber, alice: str) -> None:
    """Each once, in order."""
    events: asyncio.Queue[StoredEvent] = asyncio.Queue()
    await subscriber.take_events(f"push.{alice}.*", events.put_nowait)
    for number in range(1, 501):
        said = {"ce-id": "e", "ce-type": "t", "Nats-Sequence": str(number), "Nats-Last-Sequence": str(number - 1)}
        await subscriber.publish(f"push.{alice}.inbox", b"{}", headers=said)
    async with asyncio.timeout(PATIENCE):
        assert [(await events.get()).seq for _ in range(500)] == list(range(1, 501))


def test_what_is_overridden_is_what_nats_py_calls() -> None:
    """The parser's two methods, and that the client has one parser and reads in one loop."""
    assert list(inspect.signature(Parser.parse).parameters) == list(inspect.signature(Arrivals.parse).parameters)
    assert list(inspect.signature(Parser.reset).parameters) == ["self"]
    assert "await self._ps.parse(b)" in inspect.getsource(Client._read_loop)  # noqa: SLF001
    assert "self._read_loop()" in inspect.getsource(Client)


def test_what_was_compiled_from_another_source_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout that moved on must not run what it was before."""
    monkeypatch.setattr(native, "fingerprint", lambda: "another")
    assert native._load() is None  # noqa: SLF001
