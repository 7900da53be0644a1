"""`lag`, `doctor`, `check` and `user`: how things stand, and what is not as it should be."""

import datetime as dt
from pathlib import Path
from typing import Any

from chassis.bus import Bus
from contracts import streams
from devstack.bus_keys import Account
from devstack.nats import Nats
from devstack.ports import free_port
from devstack.processes import running
from devstack.waiting import until
from tests.bus_inspector.conftest import Inspect, inspecting
from tests.push_gateway.stage import events_on
from tests.system.conftest import Parts, People
from tests.system.device import PATIENCE
from tests.system.system import System


async def test_lag_tells_of_relays_streams_the_consumer_and_the_gateways(
    inspect: Inspect, system: System, people: People
) -> None:
    """Nothing waits where nothing happens."""
    async with system.device(people.someone("bob")):
        await settled(system)
        shown, document = await inspect("lag"), (await inspect("lag", "--json")).document
    assert [(relay["source"], relay["waiting"]) for relay in document["relays"]] == [("connection", 0), ("inbox", 0)]
    assert all("process" in relay["relay"] for relay in document["relays"])
    assert document["streams"][0]["stream"] == streams.EVENTS.name
    assert document["consumers"][0]["consumer"] == "inbox-service"
    [gateway] = document["gateways"]
    assert (gateway["ready"], gateway["sockets"], gateway["users"]) == (True, 1, 1)
    assert shown.said("inbox-service")


async def settled(system: System) -> None:
    """Wait until the relays have nothing left."""

    async def nothing_waits() -> bool:
        waiting = "SELECT count(*) FROM changes WHERE seq IS NULL"
        return {(await system.sql(name, waiting)).strip() for name in ("connection", "inbox")} == {"0"}

    assert await until(nothing_waits, within=PATIENCE)


async def test_lag_tells_what_waits_while_nats_is_away(inspect: Inspect, parts: Parts, people: People) -> None:
    """With how long, and exit code 1."""
    await parts.nats.kill()
    try:
        await parts.system.item(people.someone("bob"))
        document = (await inspect("lag", "--json", code=1)).document
    finally:
        await parts.nats.start()
    [_, inbox] = document["relays"]
    assert inbox["waiting"] >= 1
    assert inbox["oldest_seconds"] > 0
    assert "NATS" in document["error"]
    await settled(parts.system)


def failed(findings: list[dict[str, Any]]) -> set[str]:
    return {finding["what"] for finding in findings if finding["state"] == "fail"}


async def test_doctor_finds_nothing_wrong_with_a_system_that_is_well(inspect: Inspect) -> None:
    """And says what it looked at."""
    findings = (await inspect("doctor", "--json")).document
    looked_at = {finding["what"] for finding in findings}
    assert failed(findings) == set()
    assert {"nats-server", "clock of NATS", "EVENTS: settings", "gateways", "database inbox: capture"} <= looked_at


async def test_doctor_tells_what_its_key_may_do(inspect: Inspect, parts: Parts) -> None:
    """With three keys; and that somebody without one is refused."""
    told = {}
    accounts: tuple[Account, ...] = ("inspector", "operator", "admin")
    for account in accounts:
        findings = (await inspect("doctor", "--json", env=parts.nats.access(account))).document
        told[account] = next(finding for finding in findings if finding["what"] == "rights of this key")
        assert {"what": "strangers", "state": "ok", "found": "refused"} in findings
    assert told["inspector"]["found"].startswith("reading:")
    assert told["operator"]["found"].startswith("reading, storing events")
    assert (told["admin"]["state"], told["admin"]["found"].partition(":")[0]) == ("warn", "it may do everything")


async def test_doctor_finds_a_bus_that_lets_everybody_in(tmp_path: Path) -> None:
    """It works, and must not stay so."""
    async with running(Nats(tmp_path / "open", free_port())) as server:
        findings = (await inspecting({"NATS_URL": server.url})("doctor", "--json", code=1)).document
    assert "strangers" in failed(findings)


async def test_doctor_finds_a_table_that_is_not_captured(inspect: Inspect, system: System) -> None:
    """Whatever is written to it reaches nobody."""
    await system.sql("inbox", "ALTER TABLE inbox_items DISABLE TRIGGER capture_change")
    try:
        findings = (await inspect("doctor", "--json", code=1)).document
    finally:
        await system.sql("inbox", "ALTER TABLE inbox_items ENABLE TRIGGER capture_change")
    assert failed(findings) == {"database inbox: capture"}


async def test_doctor_finds_a_stream_with_other_settings(nats: Nats, bus: Bus) -> None:
    """Each that differs, with what it should be; and where nothing else is, it says so too."""
    async with events_on(nats) as events:
        config = (await events.stream.ensure()).config
        await bus.jetstream.update_stream(config.evolve(max_age=3600, republish=None))
        findings = (await inspecting(nats.access("inspector"))("doctor", "--json", code=1)).document
    [settings] = [finding["found"] for finding in findings if finding["what"] == "EVENTS: settings"]
    assert "max_age" in settings
    assert "republish" in settings
    assert "subjects" not in settings
    assert {"DEADLETTERS", "consumer inbox-service"} <= failed(findings)


async def test_check_finds_the_rows_that_are_not_what_the_stream_makes_of_them(
    inspect: Inspect, system: System, people: People
) -> None:
    """Changed, removed and made behind the back of the capture; nobody else's are named."""
    bob, carol = people.someone("bob"), people.someone("carol")
    changed, removed, fine = [(await system.item(user))["id"] for user in (bob, bob, carol)]
    await settled(system)
    before = (await inspect("check", "--json")).document
    unheard = [
        "BEGIN; ALTER TABLE inbox_items DISABLE TRIGGER capture_change",
        f"UPDATE inbox_items SET kind = 'changed' WHERE id = '{changed}'",  # noqa: S608
        f"DELETE FROM inbox_items WHERE id = '{removed}'",  # noqa: S608
        f"INSERT INTO inbox_items (recipient_id, kind, title) VALUES ('{bob}', 'notice', 'unheard of')",  # noqa: S608
        "ALTER TABLE inbox_items ENABLE TRIGGER capture_change; COMMIT",
    ]
    await system.sql("inbox", ";".join(unheard))
    try:
        after = (await inspect("check", "--json", code=1)).document
    finally:  # rows and stream agree again: what was removed in silence comes back, and all goes in the usual way
        back = f"('{removed}', '{bob}', 'notice', 'back')"
        await system.sql("inbox", f"INSERT INTO inbox_items (id, recipient_id, kind, title) VALUES {back}")  # noqa: S608
        await system.sql("inbox", f"DELETE FROM inbox_items WHERE recipient_id = '{bob}'")  # noqa: S608
    assert before["drifts"] == []
    assert before["agreed"] >= 3
    found = {(drift["item"], drift["what"], *drift["fields"]) for drift in after["drifts"]}
    assert (changed, "it is not as the last event has it", "kind", "updated_at") in found
    assert (removed, "there is no row") in found
    assert "there is a row, and no event tells of it" in {what for _, what, *_ in found}
    assert {drift["user"] for drift in after["drifts"]} == {bob}
    assert fine not in {drift["item"] for drift in after["drifts"]}


async def test_user_shows_sockets_and_events_of_one_user_only(inspect: Inspect, system: System, people: People) -> None:
    """With the place up to which each socket was sent."""
    bob, eve = people.someone("bob"), people.someone("eve")
    async with system.device(bob) as his, system.device(eve):
        await system.item(eve)
        item = await system.item(bob)
        await his.event("inbox:unread")
        document = (await inspect("user", bob, "--json")).document
        shown = await inspect("user", bob)
        last = his.events[-1]["seq"]
    [gateway] = document["gateways"]
    assert [socket["reached"]["inbox"] for socket in gateway["sockets"]] == [last]
    assert [event["type"] for event in document["events"]] == ["inbox:created", "inbox:unread"]
    assert document["events"][0]["data"]["id"] == item["id"]
    assert eve not in shown.out


async def test_user_at_shows_what_the_inbox_held_then(inspect: Inspect, system: System, people: People) -> None:
    """What was read or removed since was unread or there then; what came since was not."""
    bob = people.someone("bob")
    read, removed = [(await system.item(bob, title))["id"] for title in ("one", "two")]
    await settled(system)
    then = dt.datetime.fromisoformat((await system.sql("inbox", "SELECT clock_timestamp()")).strip() + ":00")
    await system.sql("inbox", f"UPDATE inbox_items SET is_read = true WHERE id = '{read}'")  # noqa: S608
    await system.sql("inbox", f"DELETE FROM inbox_items WHERE id = '{removed}'")  # noqa: S608
    await system.item(bob, "three")
    await settled(system)
    held = (await inspect("user", bob, "--at", then.isoformat(), "--json")).document
    assert [(each["item"]["id"], each["item"]["is_read"], each["certain"]) for each in held["items"]] == [
        (removed, False, True),
        (read, False, True),
    ]
    assert held["unread_count"] == 2
    now = (await inspect("user", bob, "--at", "0s", "--reveal", "--json")).document
    assert [(each["item"]["title"], each["item"]["is_read"]) for each in now["items"]] == [
        ("three", False),
        ("one", True),
    ]


async def test_bench_publish_is_no_drift(inspect: Inspect, operate: Inspect) -> None:
    """Its users have no rows, and are known by their names."""
    published = (await operate("bench-publish", "--count", "20", "--json")).document
    compared = (await inspect("check", "--json")).document
    assert published["stored"] == 20
    assert compared["drifts"] == []
