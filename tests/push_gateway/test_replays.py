"""Coming back together: one pass over the stream gives everybody what they missed, as reading alone would."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from contracts.subjects import Source
from push_gateway.replays import plan
from tests.push_gateway.conftest import Connect, ConnectRaw
from tests.push_gateway.stage import Events, Gateway, MonitoredNats, Stored, running_gateway
from tests.push_gateway.test_resume import frames, since

USERS = [f"user{number}" for number in range(6)]
BOTH: Sequence[Source] = ("inbox", "connection")

PASSES = "tandem_push_passes_total"


@pytest.fixture
async def together(nats: MonitoredNats, own_events: Events, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    """A gateway where one reads alone and whoever waits for that goes in a pass, whose windows are small."""
    monkeypatch.setattr("push_gateway.replays.ALONE", 1)
    monkeypatch.setattr("push_gateway.replays.CROWD", 1)
    monkeypatch.setattr("push_gateway.replays.READ", 1e6)
    monkeypatch.setattr("push_gateway.passage.WINDOW", 1)
    monkeypatch.setattr("push_gateway.scan.PAGE", 8)
    async with running_gateway(nats) as gateway:
        yield gateway


async def interleaved(events: Events, rounds: int) -> dict[str, list[Stored]]:
    """Events of every user in turn."""
    stored: dict[str, list[Stored]] = {user: [] for user in USERS}
    for number in range(rounds):
        for user in USERS:
            stored[user] += await events.store(user, sources=(BOTH[number % 2],))
    return stored


async def test_everybody_in_a_pass_gets_their_own_and_then_what_is_live(
    connect: Connect, together: Gateway, own_events: Events
) -> None:
    """In order and once, on each of several devices; one who has no events of their own hears nothing."""
    [first] = await own_events.store("somebody")
    query = await since(own_events, first.seq)
    stored = await interleaved(own_events, 10)
    passes = await together.count(PASSES)
    users = [*USERS, *USERS, "nobody"]
    clients = await asyncio.gather(*(connect(user, to=together, query=query) for user in users))
    live = await interleaved(own_events, 2)
    for user, client in zip(users, clients, strict=True):
        wanted = frames(stored[user], live[user]) if user in stored else []
        assert await client.take(len(wanted)) == wanted
    assert await together.count(PASSES) > passes


async def test_a_pass_leaves_out_what_a_client_has(connect: Connect, together: Gateway, own_events: Events) -> None:
    """Clients of one user who were away since different events, also of one source but not of the other."""
    [first] = await own_events.store("somebody")
    stored = (await interleaved(own_events, 6))["user0"]
    start, whole = await since(own_events, first.seq), await since(own_events, stored[-1].seq)
    has_all_of_inbox = f"{whole}&connection={first.seq}&inbox={stored[4].seq}"
    later = await since(own_events, stored[2].seq)
    queries = [*[start] * 4, later, has_all_of_inbox]
    clients = await asyncio.gather(*(connect("user0", to=together, query=query) for query in queries))
    *_, everything, behind, rest = clients
    assert await everything.take(6) == frames(stored)
    assert await behind.take(3) == frames(stored[3:])
    assert await rest.take(3) == frames(stored[1::2])
    live = await own_events.store("user0")
    assert (await rest.take(4))[3:] == (await behind.take(4))[3:] == frames(live)


async def test_who_does_not_read_is_left_behind_by_a_pass(
    connect: Connect, connect_raw: ConnectRaw, together: Gateway, own_events: Events
) -> None:
    """The others are whole while it waits, and it gets the rest when it reads again."""
    [first] = await own_events.store("somebody")
    query = await since(own_events, first.seq)
    stored: dict[str, list[Stored]] = {"slow": [], "quick": []}
    for _ in range(40):
        for user in stored:
            stored[user] += await own_events.store(user, size=50_000)
    slow = await connect_raw("slow", to=together, query=query)
    quick = await asyncio.gather(*(connect("quick", to=together, query=query) for _ in range(4)))
    for client in quick:
        assert await client.take(40) == frames(stored["quick"])
    assert (await slow.texts(41))[1:] == frames(stored["slow"])


async def test_what_is_purged_under_a_pass_is_not_passed_over(
    connect: Connect, together: Gateway, own_events: Events
) -> None:
    """Whoever was not sent it is told to fetch their state; nobody has a hole and was not told."""
    [first] = await own_events.store("somebody")
    query = await since(own_events, first.seq)
    stored = await interleaved(own_events, 60)
    connecting = [asyncio.create_task(connect(user, to=together, query=query)) for user in USERS * 4]
    clients = [await connecting[0]]
    await clients[0].take(1)
    await own_events.bus.jetstream.purge_stream(own_events.stream.name, seq=stored["user5"][-1].seq)
    clients += await asyncio.gather(*connecting[1:])
    live = await interleaved(own_events, 1)
    told = 0
    for user, client in zip(USERS * 4, clients, strict=True):
        await client.wait(lambda client=client, user=user: client.frames[-1]["seq"] >= live[user][0].seq)  # type: ignore[misc]
        if all(frame["event"] != "resync" for frame in client.frames) and client.frames[0]["data"]["resumed"]:
            assert client.events == frames(stored[user], live[user])
        else:
            told += 1
    assert told, "the purge came too late to be of interest"


async def test_a_pass_over_another_history_ends_in_a_resync(
    connect: Connect, together: Gateway, own_events: Events
) -> None:
    """Whoever was on the way is told to fetch their state, and goes on from there."""
    [first] = await own_events.store("somebody")
    query = await since(own_events, first.seq)
    await interleaved(own_events, 40)
    connecting = [asyncio.create_task(connect(user, to=together, query=query)) for user in USERS * 4]
    clients = [await connecting[0]]
    await own_events.stream.begin_epoch()
    clients += await asyncio.gather(*connecting[1:])
    await connect("nobody", to=together, query=query)  # asks where the stream stands, and with that about its history
    for client in clients:
        if (await client.hello())["data"]["resumed"]:
            await client.first("resync")
    live = await interleaved(own_events, 1)
    for user, client in zip(USERS * 4, clients, strict=True):
        await client.wait(lambda client=client, user=user: client.frames[-1]["seq"] >= live[user][0].seq)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("behind", "look", "together"),
    [
        ([], 1.0, 0),
        ([100] * 10, 0.05, 0),
        ([100] * 10, 0.2, 10),
        ([100] * 9 + [10_000], 0.2, 9),
        ([100] * 9 + [10_000] * 1_000, 0.2, 1_009),
        ([0] * 10, 0.2, 10),
    ],
    ids=["nobody", "cheap looks", "dear looks", "one was away for long", "many were", "nothing was missed"],
)
def test_a_pass_is_for_those_for_whom_it_is_cheaper(behind: Sequence[int], look: float, together: int) -> None:
    """By what it costs to look at a message for one client, and to take it for all."""
    best = plan(behind, look=look, take=1.0)
    assert best.together == together
    assert best.cost <= plan(behind, look=look, take=1e9).cost
