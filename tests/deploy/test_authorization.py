"""Who may do what on the bus, with the file that production has: what is allowed works, and all else is refused."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from chassis.bus import Bus
from chassis.streams import Stream
from contracts import streams
from devstack.bus_keys import Account, BusKeys
from devstack.nats import Nats
from devstack.ports import free_port
from devstack.processes import running
from devstack.waiting import until
from tests.conftest import running_bus
from tests.deploy.acts import ACTS, GUESTS, Act, Guest, table
from tests.deploy.raw_bus import PATIENCE, RawBus, Refused

DOCUMENT = Path(__file__).parents[2] / "docs" / "BUS.md"

MISSING = json.dumps({"seq": 1_000_000}).encode()
"""For a message that is not there. The answer has no body, and that is how JetStream is told to delete a stream."""

NEXT = json.dumps({"batch": 1, "no_wait": True}).encode()

QUESTIONS: tuple[tuple[Guest, str, bytes], ...] = (
    ("connection", "$JS.API.STREAM.INFO.EVENTS", b""),
    ("inbox", "$JS.API.CONSUMER.MSG.NEXT.EVENTS.inbox-service", NEXT),
    ("push", "$JS.API.CONSUMER.MSG.NEXT.EVENTS.other", NEXT),
    ("push", "$JS.API.DIRECT.GET.EVENTS", MISSING),
    ("inspector", "$JS.API.DIRECT.GET.EVENTS", MISSING),
    ("inspector", "inspect.push", b"{}"),
    ("operator", "$JS.API.DIRECT.GET.EVENTS", MISSING),
)
"""What those who are no admin may ask."""

TARGETS = (
    "$JS.API.STREAM.DELETE.EVENTS",
    "$JS.API.STREAM.PURGE.EVENTS",
    "api.STREAM.DELETE.EVENTS",
    "events.bob.inbox",
    "events.bob.connection",
    "push.bob.inbox",
    "deadletters.inbox-service",
)
"""Where one of them could want the answer to be sent."""

OWN: dict[Guest, set[str]] = {
    "connection": {"events.bob.connection"},
    "inbox": {"events.bob.inbox", "deadletters.inbox-service"},
    "operator": {"events.bob.connection", "events.bob.inbox"},
}
"""Those of the targets that they may publish to anyhow."""


@pytest.fixture(scope="module")
async def server(server_dir: Path) -> AsyncIterator[Nats]:
    """A server with both streams and some events in it."""
    folder = server_dir / "authorised"
    async with running(Nats(folder, free_port(), keys=BusKeys(folder / "keys"), sink=lambda *_: None)) as nats:
        async with running_bus(nats) as bus:
            for shape in (streams.EVENTS, streams.DEADLETTERS):
                await Stream(bus, shape, replicas=1).ensure()
            for _ in range(3):
                await bus.jetstream.publish("events.alice.connection", b"{}")
            for durable in ("inbox-service", "other"):
                await bus.jetstream.add_consumer(streams.EVENTS.name, durable_name=durable, ack_policy="explicit")
        yield nats
    shutil.rmtree(folder)


async def stored(server: Nats) -> dict[str, int]:
    """How many messages each stream holds; it is an error if one of them is gone."""
    counts = {}
    for name in (streams.EVENTS.name, streams.DEADLETTERS.name):
        answer = await server.ask(f"$JS.API.STREAM.INFO.{name}")
        assert answer is not None
        counts[name] = answer["state"]["messages"]
    return counts


@pytest.mark.parametrize("act", ACTS, ids=str)
@pytest.mark.parametrize("guest", GUESTS)
async def test_an_act_is_refused_to_whoever_may_not_do_it_and_to_nobody_else(
    server: Nats, guest: Guest, act: Act
) -> None:
    """The whole table, each cell."""
    async with RawBus.at(server.port, server.seed_file(guest)) as bus:
        refusals = await (bus.publish(act.subject) if act.verb == "publish" else bus.subscribe(act.subject))
    assert bool(refusals) == (guest not in act.allowed), refusals
    assert all("Permissions Violation" in refusal for refusal in refusals)


def test_the_document_shows_this_table() -> None:
    """`python -m tests.deploy.acts` prints it anew."""
    assert table() in DOCUMENT.read_text("utf-8")


@pytest.mark.parametrize(
    "claims", [{}, {"user": "admin", "pass": "admin"}, {"auth_token": "secret"}], ids=["nothing", "password", "token"]
)
async def test_who_has_no_key_is_not_let_in(server: Nats, claims: dict[str, str]) -> None:
    with pytest.raises(Refused, match="Authorization Violation"):
        async with RawBus.at(server.port, None, **claims):
            pass


async def test_a_key_that_nobody_knows_is_not_let_in(server: Nats, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="Authorization Violation"):
        async with RawBus.at(server.port, BusKeys(tmp_path).seed_file("admin")):
            pass


async def test_who_knows_a_public_key_and_not_its_seed_is_not_let_in(server: Nats, tmp_path: Path) -> None:
    assert server.keys is not None
    public = server.keys.public_keys()["ADMIN_NKEY"]
    with pytest.raises(Refused, match="Authorization Violation"):
        async with RawBus.at(server.port, BusKeys(tmp_path).seed_file("admin"), nkey=public):
            pass


@pytest.mark.parametrize(
    ("guest", "question", "body", "target"),
    [(*question, target) for question in QUESTIONS for target in TARGETS if target not in OWN.get(question[0], set())],
)
async def test_an_answer_does_nothing_that_whoever_asked_may_not_do(
    server: Nats, guest: Guest, question: str, body: bytes, target: str
) -> None:
    """Permissions do not cover where an answer is sent. In one account for all, these would delete the stream, or store
    something under somebody else's name."""
    before = await stored(server)
    async with (
        RawBus.at(server.port, server.seed_file("admin")) as admin,
        RawBus.at(server.port, server.seed_file(guest)) as bus,
    ):
        assert not await admin.subscribe(target.replace("$JS.API", "nothing"))
        assert not await bus.subscribe("_INBOX.>")
        assert not await bus.publish(question, body, reply=target)
        assert not await bus.publish(question, body, reply="_INBOX.fence")
        assert await until(lambda: _hears(bus), within=PATIENCE)
        assert await stored(server) == before
        await admin.settled()
        assert admin.heard == []


@pytest.mark.parametrize("guest", GUESTS)
async def test_nobody_hears_the_answers_to_anybody_else(server: Nats, guest: Guest) -> None:
    """Its own it does hear."""
    other: Account = "inbox" if guest == "connection" else "connection"
    async with (
        RawBus.at(server.port, server.seed_file(guest)) as listener,
        RawBus.at(server.port, server.seed_file(other)) as asking,
    ):
        for bus in (listener, asking):
            assert not await bus.subscribe("_INBOX.>")
        for bus, reply in ((asking, "_INBOX.theirs"), (listener, "_INBOX.own")):
            assert not await bus.publish("$JS.API.STREAM.INFO.EVENTS", b"", reply=reply)
            assert await until(partial(_hears, bus), within=PATIENCE)
        assert (asking.heard, listener.heard) == (["_INBOX.theirs"], ["_INBOX.own"])


async def test_the_server_keeps_no_account_of_what_might_be_answered(server: Nats) -> None:
    """Every message that is read from the stream names a subject for an answer. A server that notes them, as it does
    by `allow_responses`, looks through all of two minutes again and again: half of its time while thousands resume."""
    async with (
        RawBus.at(server.port, server.seed_file("admin")) as admin,
        RawBus.at(server.port, server.seed_file("push")) as gateway,
    ):
        assert not await gateway.subscribe("push.*.*")
        assert not await admin.publish("push.alice.inbox", reply="answer.here")
        assert await until(partial(_hears, gateway), within=PATIENCE)
        (refusal,) = await gateway.publish("answer.here")
    assert "Permissions Violation" in refusal


async def _hears(bus: RawBus) -> bool:
    assert not await bus.settled()
    return bool(bus.heard)


async def test_what_is_refused_stands_in_the_log_of_whoever_tried(server: Nats) -> None:
    """The server drops it, and nobody would ever know."""
    with capture_logs() as logs:
        async with running_bus(server, account="inspector") as bus:
            await bus.client.publish("push.bob.inbox", b"forged")
            assert await until(lambda: bool(bus.refused), within=PATIENCE)
    assert '"push.bob.inbox"' in bus.refused
    assert [entry["log_level"] for entry in logs if "refused an act" in entry["event"]] == ["error"]


async def test_a_service_whose_key_is_not_known_says_so_and_goes_on_trying(server: Nats, tmp_path: Path) -> None:
    """The servers may be told of it later; until then the service is not ready."""
    bus = Bus((server.url,), name="test", nkey_seed_file=BusKeys(tmp_path).seed_file("push"))
    with capture_logs() as logs:
        task = asyncio.create_task(bus.run())
        try:
            assert await until(lambda: sum("let us in" in entry["event"] for entry in logs) > 1, within=PATIENCE)
            assert not bus.connected
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_each_account_may_do_what_the_services_do(server: Nats) -> None:
    """Twin of the first test: not only not refused, but answered."""
    questions: dict[Guest, str] = {
        "connection": "$JS.API.STREAM.MSG.GET.EVENTS",
        "inbox": "$JS.API.STREAM.MSG.GET.EVENTS",
        "push": "$JS.API.DIRECT.GET.EVENTS",
        "inspector": "$JS.API.DIRECT.GET.EVENTS",
        "operator": "$JS.API.STREAM.MSG.GET.EVENTS",
    }
    for guest, question in questions.items():
        async with running_bus(server, account=guest) as bus:
            answer = await bus.client.request(question, json.dumps({"seq": 1}).encode(), timeout=PATIENCE)
            assert b"error" not in answer.data, guest
