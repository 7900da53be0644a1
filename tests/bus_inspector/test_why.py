"""`why` says where a change is and how its user heard of it, or why not; on a real system, in each of these cases."""

import datetime as dt
import uuid

import nats
import pytest

from contracts.cloudevents import Event
from contracts.subjects import event_subject, user_id
from devstack.waiting import until
from tests.bus_inspector.conftest import Inspect
from tests.system.conftest import Parts, People
from tests.system.device import PATIENCE
from tests.system.system import System


async def test_a_delivered_event_is_followed_from_its_row_to_the_socket(
    inspect: Inspect, system: System, people: People
) -> None:
    """And not to somebody else's socket, which was open all the time."""
    bob, eve = people.someone("bob"), people.someone("eve")
    async with system.device(bob) as his, system.device(eve):
        item = await system.item(bob)
        frame = await his.event("inbox:created", id=item["id"])
        [trace] = (await inspect("why", item["id"], "--json")).document["changes"]
        shown = await inspect("why", item["id"])
    assert (trace["database"], trace["table"], trace["op"], trace["row"]) == (
        "inbox",
        "inbox_items",
        "insert",
        item["id"],
    )
    assert trace["relay"]["state"] == "published"
    [event] = trace["events"]
    assert (event["id"], event["user"], event["stream"]["seq"]) == (frame["id"], bob, frame["seq"])
    assert event["verdict"] == "delivered live"
    assert [socket["verdict"] for socket in event["sockets"]] == ["delivered live"]
    assert shown.said("outcome", f"{bob}: delivered live")
    assert eve not in shown.out


async def test_an_answer_is_followed_to_both_partners_and_to_the_item_that_was_made_of_it(
    inspect: Inspect, system: System, people: People
) -> None:
    """One change, two events; the partner's copy became an item, and the author's called for none."""
    alice, bob = await people.partners()
    async with system.device(bob) as his:
        answer = await system.answer(alice)
        made = await his.event("inbox:created", sender_id=alice)

        async def of_answer() -> dict[str, object]:
            [trace] = (await inspect("why", answer["id"], "--json")).document["changes"]
            return {event["user"]: (event["verdict"], event["consumer"]) for event in trace["events"]}

        events = await of_answer()
    assert events[alice] == ("no socket", {"state": "nothing", "item": None, "letter": None} | told(events[alice]))
    assert events[bob] == (
        "delivered live",
        {"state": "made", "item": made["data"]["id"], "letter": None} | told(events[bob]),
    )


def told(event: object) -> dict[str, str]:
    """The words of a place, which are for people."""
    assert isinstance(event, tuple)
    return {"told": event[1]["told"]}


async def test_an_event_that_waits_in_the_relay_is_said_to_wait_there_because_nats_is_away(
    inspect: Inspect, parts: Parts, people: People
) -> None:
    """The write was answered, and nobody has heard of it; once NATS is back it is delivered."""
    system, bob = parts.system, people.someone("bob")
    async with system.device(bob) as his:
        await parts.nats.kill()
        try:
            item = await system.item(bob)
            [trace] = (await inspect("why", item["id"], "--json")).document["changes"]
            shown = await inspect("why", item["id"])
        finally:
            await parts.nats.start()
        await his.event("inbox:created", id=item["id"])
        [after] = (await inspect("why", item["id"], "--json")).document["changes"]
    assert trace["relay"]["state"] == "waiting"
    assert "because NATS is away" in trace["relay"]["told"]
    assert trace["outcome"] == ["waits in the relay"]
    assert [(event["user"], event["verdict"], event["sockets"]) for event in trace["events"]] == [(bob, None, [])]
    assert shown.said("relay", "because NATS is away")
    assert after["outcome"] == [f"{bob}: delivered live"]


async def test_an_event_in_the_dead_letters_is_said_to_be_there_and_why(
    inspect: Inspect, parts: Parts, people: People
) -> None:
    """Its user's socket got the frame all the same: the gateway does not read what is in an event."""
    bob = people.someone("bob")
    async with parts.system.device(bob) as his:
        event_id = await publish_unreadable(parts, bob)
        await his.event("connection_answer:created")
        assert await until(lambda: is_dead(inspect, event_id), within=PATIENCE)
        [trace] = (await inspect("why", event_id, "--json")).document["changes"]
        shown = await inspect("why", event_id)
    [event] = trace["events"]
    assert event["consumer"]["state"] == "dead"
    assert "Undeliverable" in event["consumer"]["told"]
    assert trace["outcome"] == [f"{bob}: dead letter {event['consumer']['letter']}; delivered live"]
    assert "a secret of bob's" not in shown.out
    assert shown.said("consumer", "dead letter", "Undeliverable")


async def publish_unreadable(parts: Parts, user: str) -> str:
    """Store an event whose data is not of its shape, as only something that is not ours would; returns its id."""
    to = user_id(user)
    body = b'{"answer": {"text": "a secret of bob\'s"}}'
    event = Event(str(uuid.uuid4()), "connection_answer:created", to, dt.datetime.now(dt.UTC), body)
    client = await nats.connect(parts.nats.url, nkeys_seed=str(parts.nats.seed_file("admin")))
    await client.jetstream().publish(event_subject(to, "connection"), body, headers=event.headers())
    await client.close()
    return event.id


async def is_dead(inspect: Inspect, event_id: str) -> bool:
    """Whether it is among the dead letters."""
    letters = (await inspect("dead", "list", "--json")).document["letters"]
    return event_id in {letter["id"] for letter in letters}


async def published(system: System) -> None:
    """Wait until the relay of inbox_service has nothing left."""

    async def nothing_waits() -> bool:
        return (await system.sql("inbox", "SELECT count(*) FROM changes WHERE seq IS NULL")).strip() == "0"

    assert await until(nothing_waits, within=PATIENCE)


async def test_an_event_whose_user_has_no_socket_is_said_to_have_none(
    inspect: Inspect, system: System, people: People
) -> None:
    """A socket that ended before it is named with its end, and has not got it."""
    bob, carol = people.someone("bob"), people.someone("carol")
    async with system.device(carol):
        pass
    for user in (bob, carol):
        item = await system.item(user)
        await published(system)
        [trace] = (await inspect("why", item["id"], "--json")).document["changes"]
        [event] = trace["events"]
        assert trace["outcome"] == [f"{user}: no socket"]
        assert [(socket["verdict"]) for socket in event["sockets"]] == ["ended without it"] * (user == carol)
        shown = await inspect("why", item["id"])
        assert shown.said("gateway", "closed" if user == carol else "has no socket here, and had none lately")


async def test_an_event_that_was_delivered_on_resume_is_told_apart_from_a_live_one(
    inspect: Inspect, system: System, people: People
) -> None:
    """What came while the device was away it got on its return; what came after that, live; and nothing twice."""
    bob = people.someone("bob")
    async with system.device(bob) as before:
        first = await system.item(bob)
        await before.event("inbox:unread")
    missed = await system.item(bob)
    await published(system)
    async with system.device(bob, **before.cursor) as back:
        await back.event("inbox:unread", unread_count=2)
        later = await system.item(bob)
        await back.event("inbox:unread", unread_count=3)
        outcomes = [(await inspect("why", each["id"], "--json")).document["changes"] for each in (first, missed, later)]
        shown = await inspect("why", missed["id"])
    verdicts = [[socket["verdict"] for socket in traces[0]["events"][0]["sockets"]] for traces in outcomes]
    # The socket that is open now comes first, then the one that has ended.
    assert verdicts == [
        ["had it already", "delivered live"],
        ["delivered on resume", "ended without it"],
        ["delivered live", "ended without it"],
    ]
    assert [traces[0]["outcome"] for traces in outcomes] == [
        [f"{bob}: delivered live"],
        [f"{bob}: delivered on resume"],
        [f"{bob}: delivered live"],
    ]
    assert shown.said("outcome", f"{bob}: delivered on resume")


async def test_a_client_that_came_without_a_cursor_is_said_to_have_been_told_to_fetch_anew(
    inspect: Inspect, system: System, people: People
) -> None:
    """The event was before its `hello`, so its state has it."""
    bob = people.someone("bob")
    item = await system.item(bob)
    await published(system)
    async with system.device(bob):
        [trace] = (await inspect("why", item["id"], "--json")).document["changes"]
    assert trace["outcome"] == [f"{bob}: told to fetch anew instead"]


async def test_a_change_that_cannot_be_published_is_said_to_be_dead(
    inspect: Inspect, system: System, people: People
) -> None:
    """It has no event; the reason does not quote what somebody wrote."""
    bob, secret = people.someone("bob"), "a secret title"
    row = f"('{bob}', 'notice', '{secret}')"
    insert = f"INSERT INTO inbox_items (recipient_id, kind, title) VALUES {row} RETURNING id"  # noqa: S608
    spoil = f"UPDATE changes SET row = row - 'kind' WHERE seq IS NULL AND row->>'recipient_id' = '{bob}'"  # noqa: S608
    spoilt = f"BEGIN; {insert}; {spoil}; COMMIT"
    which = next(line for line in (await system.sql("inbox", spoilt)).splitlines() if line.count("-") == 4)

    async def outcome() -> list[str]:
        [trace] = (await inspect("why", which, "--json")).document["changes"]
        assert secret not in trace["relay"]["told"]
        found: list[str] = trace["outcome"]
        return found

    async def is_dead_change() -> bool:
        return await outcome() == ["a dead change"]

    assert await until(is_dead_change, within=PATIENCE)


@pytest.mark.parametrize("which", ["no such id", str(uuid.UUID(int=2**128 - 1))])
async def test_what_nobody_knows_is_one_line(inspect: Inspect, which: str) -> None:
    """Exit code 2 if it cannot be an id, 1 if there is no such thing."""
    ended = await inspect("why", which, code=2 if " " in which else 1)
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
