"""The load generator finds out whatever a server does wrong, and accuses nobody who does nothing wrong."""

from collections.abc import Callable

import pytest
from websockets.asyncio.server import ServerConnection

from bench.push.generator import LoadFailed
from push_gateway.wire import text_frame
from tests.bench.conftest import Deed, Generate, Server

USERS = 3
EVENTS = 60

SUSPECT = 30
"""The frame that a dishonest server does something to: there are some of the same user before and behind it."""


def once(deed: Callable[[Server, ServerConnection, str], list[str]], *, lasting: int = 1) -> Deed:
    """Do `deed` to so many frames, from the suspect one on."""
    sent = 0

    def instead(server: Server, socket: ServerConnection, body: str) -> list[str]:
        nonlocal sent
        sent += 1
        return deed(server, socket, body) if SUSPECT <= sent < SUSPECT + lasting else [body]

    return instead


def dropped(_: Server, __: ServerConnection, ___: str) -> list[str]:
    """A frame is lost."""
    return []


def doubled(_: Server, __: ServerConnection, body: str) -> list[str]:
    """A frame comes twice."""
    return [body, body]


def swapped() -> Deed:
    """Two frames of one user come in the wrong order."""
    held: dict[str, str] = {}

    def swap(_: Server, __: ServerConnection, body: str) -> list[str]:
        user = body.split("~")[1][:6]
        if user in held:
            return [body, held.pop(user)]
        held[user] = body
        return []

    return once(swap, lasting=2 * USERS)


def misaddressed(server: Server, socket: ServerConnection, body: str) -> list[str]:
    """A frame is another user's: the last one that any other was sent."""
    other = next(user for user, sockets in server.sockets.items() if socket not in sockets)
    return [body, server.history[other][-1]]


def invented(_: Server, __: ServerConnection, body: str) -> list[str]:
    """A frame is of the right user, but nobody has published it."""
    user, number, stamp = body.split("~")[1].split(".")
    return [body, body.replace(f"~{user}.{number}.{stamp}~", f"~{user}.{int(number) + 1000:010d}.{stamp}~")]


async def test_an_honest_server_is_found_faultless(server: Server, generate: Generate) -> None:
    """Every socket of every user gets every event, and nothing is held against anybody."""
    async with generate(users=USERS, devices=4) as generator:
        await generator.open(4 * USERS)
        tally = (await generator.publish(events=EVENTS, rate=2000)).tally
    assert (tally.expected, tally.got, tally.wrong) == (4 * EVENTS, 4 * EVENTS, 0)
    assert len(server.users) == EVENTS


@pytest.mark.parametrize(
    ("deed", "fault", "count"),
    [
        (once(dropped), "lost", 1),
        (once(doubled), "doubled", 1),
        (swapped(), "disordered", USERS),
        (once(misaddressed), "misaddressed", 1),
        (once(invented), "misaddressed", 1),
    ],
    ids=["dropped", "doubled", "swapped", "misaddressed", "invented"],
)
async def test_what_is_done_to_one_frame_is_found_out(
    server: Server, generate: Generate, deed: Deed, fault: str, count: int
) -> None:
    """It is called by its name, counted, and nothing else is said."""
    server.deed = deed
    async with generate(users=USERS) as generator:
        await generator.open(USERS)
        tally = (await generator.publish(events=EVENTS, rate=2000)).tally
    assert getattr(tally, fault) == count
    assert tally.wrong == count


def cut_off(_: Server, socket: ServerConnection, __: str) -> list[str]:
    """The socket is ended instead."""
    socket.transport.abort()
    return []


async def test_a_socket_that_the_server_ends_is_found_out(server: Server, generate: Generate) -> None:
    """And so is what it is not sent any more."""
    server.deed = once(cut_off)
    async with generate(users=USERS) as generator:
        await generator.open(USERS)
        tally = (await generator.publish(events=EVENTS, rate=2000)).tally
    assert tally.ended == 1
    assert tally.lost >= 1


async def test_a_socket_that_is_closed_while_nothing_happens_is_found_out(server: Server, generate: Generate) -> None:
    """It is missing from the tally at the end, and nobody expects it to be sent anything."""
    async with generate(users=USERS) as generator:
        await generator.open(USERS)
        await server.hang_up()
        tally = (await generator.publish(events=EVENTS, rate=2000)).tally
        assert (await generator.total()).ended == 1
    assert (tally.expected, tally.lost) == (EVENTS - EVENTS // USERS, 0)


async def test_pings_are_answered(server: Server, generate: Generate) -> None:
    """Those of the protocol and the application's own."""
    async with generate(users=USERS) as generator:
        await generator.open(USERS)
        await generator.publish(events=1)
        await server.ping()
    assert server.texts == ["yes"] * USERS


async def test_the_blanks_are_filled_in_for_each_socket(server: Server, generate: Generate) -> None:
    """Each user has a name, which the server has found in the path, and a token of its own."""
    async with generate(users=2, devices=2, messages=["{user} says hello", "with {token}"]) as generator:
        await generator.open(4)
        await generator.publish(events=1)
        assert sorted(server.headers) == ["token-0", "token-0", "token-1", "token-1"]
        assert sorted(user for user, sockets in server.sockets.items() for _ in sockets) == [
            "u000000", "u000000", "u000001", "u000001",
        ]  # fmt: skip
        await server.ping()
    assert sorted(server.texts)[:4] == ["u000000 says hello"] * 2 + ["u000001 says hello"] * 2


async def test_latencies_contain_what_the_server_took(server: Server, generate: Generate) -> None:
    """The stamp is of the clock that all processes share, so no frame is faster than the server has handed it over."""
    async with generate(users=USERS) as generator:
        await generator.open(USERS)
        ms = (await generator.publish(events=EVENTS, rate=2000)).ms
    assert ms["p50"] <= ms["p90"] <= ms["p99"] <= ms["p999"] <= ms["max"]
    assert min(server.delays) > 0
    assert ms["max"] >= min(server.delays) * 1000


async def test_users_are_published_to_in_turn(server: Server, generate: Generate) -> None:
    """Nobody gets a second event before each has had one."""
    async with generate(users=7) as generator:
        await generator.open(7)
        await generator.publish(events=70, rate=5000)
    rounds = [server.users[start : start + 7] for start in range(0, 70, 7)]
    assert all(sorted(turn) == sorted(rounds[0]) for turn in rounds)
    assert len(set(rounds[0])) == 7


async def test_users_without_a_socket_are_published_to_when_that_is_asked_for(
    server: Server, generate: Generate
) -> None:
    """And no frame is waited for."""
    async with generate(users=3) as generator:
        await generator.address(3)
        done = await generator.publish(events=6)
    assert sorted(server.users) == ["u000000", "u000000", "u000001", "u000001", "u000002", "u000002"]
    assert (done.events, done.tally.expected) == (6, 0)


async def test_more_users_than_the_plan_has_end_the_load_with_the_reason(generate: Generate) -> None:
    """It would publish to nobody."""
    async with generate(users=3) as generator:
        with pytest.raises(LoadFailed, match="there are 3 users, not 4"):
            await generator.address(4)


async def test_no_more_frames_are_on_their_way_than_the_window_allows(server: Server, generate: Generate) -> None:
    """As fast as they are taken means: as fast as they are delivered, and nothing is if nothing is."""
    server.deed = dropped
    async with generate(users=USERS) as generator:
        await generator.open(USERS)
        done = await generator.publish(events=EVENTS, window=4)
    assert len(server.users) == done.events == done.tally.lost == 4


async def test_sockets_that_come_back_are_sent_what_they_missed(server: Server, generate: Generate) -> None:
    """They say up to where they have everything, and the rest is expected of the server."""
    async with generate(users=USERS, devices=2) as generator:
        await generator.open(2 * USERS)
        await generator.publish(events=USERS)
        await generator.close()
        await generator.publish(events=5 * USERS)
        opened = await generator.open_again(2 * USERS)
        after = await generator.publish(events=USERS)
        total = await generator.total()
    assert (opened.missed, opened.got) == (2 * 5 * USERS, 2 * 5 * USERS)
    assert after.tally.wrong == total.wrong == 0


async def test_a_server_that_forgets_what_was_missed_is_found_out(server: Server, generate: Generate) -> None:
    """One event of one user is not sent to the two sockets that missed it."""
    async with generate(users=USERS, devices=2) as generator:
        await generator.open(2 * USERS)
        await generator.close()
        await generator.publish(events=5 * USERS)
        del server.history["u000001"][2]
        opened = await generator.open_again(2 * USERS)
    assert opened.missed - opened.got == 2


async def test_more_sockets_can_be_opened_beside_those_that_there_are(server: Server, generate: Generate) -> None:
    """The further users take part from then on."""
    async with generate(users=6) as generator:
        await generator.open(2)
        first = await generator.publish(events=EVENTS)
        opened = await generator.open(6)
        second = await generator.publish(events=EVENTS)
    assert opened.open == 6
    assert set(server.users[:EVENTS]) == {"u000000", "u000001"}
    assert len(set(server.users[EVENTS:])) == 6
    assert first.tally.wrong == second.tally.wrong == 0


def cut_in_two(server: Server, _: ServerConnection, body: str) -> list[list[str]]:
    """One message in two frames, cut at another place each time."""
    where = 1 + len(server.users) * 7 % (len(body) - 2)
    return [[body[:where], body[where:]]]


def in_small_pieces(_: Server, socket: ServerConnection, body: str) -> list[str]:
    """One frame in many packets."""
    frame = text_frame(body.encode())
    for start in range(0, len(frame), 3):
        socket.transport.write(frame[start : start + 3])
    return []


@pytest.mark.parametrize("deed", [cut_in_two, in_small_pieces])
async def test_an_event_is_found_wherever_it_is_cut(server: Server, generate: Generate, deed: Deed) -> None:
    """Neither frames nor packets say where an event begins and ends."""
    server.deed = deed
    async with generate(users=USERS) as generator:
        await generator.open(USERS)
        tally = (await generator.publish(events=EVENTS, window=USERS)).tally
    assert (tally.got, tally.wrong) == (EVENTS, 0)


async def test_events_that_are_posted_keep_their_order(server: Server, generate: Generate) -> None:
    """Those of one user go over the same connection, one behind the answer to the other."""
    async with generate(users=USERS, posted=True) as generator:
        await generator.open(USERS)
        tally = (await generator.publish(events=EVENTS, window=EVENTS)).tally
    assert (tally.got, tally.wrong) == (EVENTS, 0)


async def test_a_post_that_is_not_taken_ends_the_load_with_the_answer(server: Server, generate: Generate) -> None:
    """Otherwise it would look as if the server had lost it."""
    server.answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    async with generate(users=USERS, posted=True) as generator:
        await generator.open(USERS)
        with pytest.raises(LoadFailed, match="503 Service Unavailable"):
            await generator.publish(events=EVENTS)


async def test_a_refused_handshake_ends_the_load_with_the_reason(server: Server, generate: Generate) -> None:
    """What the server said is told."""
    async with generate(users=1, path="/refused/0") as generator:
        with pytest.raises(LoadFailed, match="403 Forbidden"):
            await generator.open(1)


async def test_a_socket_that_is_closed_instead_of_greeted_is_opened_once_more(
    server: Server, generate: Generate
) -> None:
    """As a client does that is told to come back; how often that was is told."""
    server.full = 5
    async with generate(users=USERS, devices=4) as generator:
        opened = await generator.open(4 * USERS)
        tally = (await generator.publish(events=EVENTS)).tally
    assert (opened.open, opened.refused) == (4 * USERS, 5)
    assert (tally.got, tally.wrong) == (4 * EVENTS, 0)
