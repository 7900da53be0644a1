"""What is done to inbox items, on every device of their owner and on nobody else's."""

from collections.abc import AsyncIterator

import pytest

from tests.system.conftest import People
from tests.system.device import Device, names
from tests.system.system import System

Devices = tuple[Device, Device, Device]


@pytest.fixture
async def devices(system: System, people: People) -> AsyncIterator[Devices]:
    """Two devices of Bob, and one of somebody else."""
    bob = people.someone("bob")
    async with system.device(bob) as one, system.device(bob) as other, system.device(people.someone("eve")) as stranger:
        yield one, other, stranger


async def items_for(system: System, devices: Devices, *titles: str) -> list[str]:
    """Put items into Bob's inbox, one after another; returns their ids when both of his devices have them."""
    ids = [(await system.item(devices[0].user, title))["id"] for title in titles]
    for device in devices[:2]:
        await device.event("inbox:unread", unread_count=len(titles))
    await system.heard(*devices)
    return ids


async def test_an_item_of_another_service_reaches_every_device_of_its_recipient_alone(
    system: System, devices: Devices
) -> None:
    """What the other service is answered is what arrives."""
    item = await system.item(devices[0].user, "Welcome")
    for device in devices[:2]:
        assert (await device.event("inbox:created"))["data"] == item
        assert (await device.event("inbox:unread"))["data"] == {"unread_count": 1}
    heard = await system.heard(*devices)
    assert [names(frames) for frames in heard] == [["inbox:created", "inbox:unread"]] * 2 + [[]]


async def test_marking_an_item_read_on_one_device_shows_on_both(system: System, devices: Devices) -> None:
    """The updated item, and how many are left."""
    first, _ = await items_for(system, devices, "one", "two")
    read = await system.post(f"{system.inbox}/items/{first}/read", devices[0].user)
    assert read["is_read"]
    for device in devices[:2]:
        assert (await device.event("inbox:updated"))["data"] == read
        await device.event("inbox:unread", unread_count=1)
    heard = await system.heard(*devices)
    assert [names(frames) for frames in heard] == [["inbox:updated", "inbox:unread"]] * 2 + [[]]


async def test_marking_an_item_read_again_tells_nobody_anything(system: System, devices: Devices) -> None:
    """The twin: what changes nothing is no event."""
    [item] = await items_for(system, devices, "one")
    url = f"{system.inbox}/items/{item}/read"
    first = await system.post(url, devices[0].user)
    for device in devices[:2]:
        await device.event("inbox:unread", unread_count=0)
    await system.heard(*devices)
    assert await system.post(url, devices[0].user) == first
    assert await system.heard(*devices) == [[], [], []]


async def test_read_all_is_one_update_an_item_and_leaves_what_came_after_its_bound(
    system: System, devices: Devices
) -> None:
    """The item that arrives while somebody clicks stays unread."""
    bob = devices[0].user
    ids = await items_for(system, devices, "one", "two", "three", "four")
    answer = await system.post(f"{system.inbox}/items/read-all", bob, {"through": ids[2]})
    assert answer == {"updated": 3}
    for device in devices[:2]:
        await device.event("inbox:unread", unread_count=1)
    *of_bob, of_stranger = await system.heard(*devices)
    for heard in of_bob:
        assert names(heard) == ["inbox:updated"] * 3 + ["inbox:unread"]
        assert {frame["data"]["id"] for frame in heard[:3]} == set(ids[:3])
        assert all(frame["data"]["is_read"] for frame in heard[:3])
    assert of_stranger == []
    unread = await system.get(f"{system.inbox}/items?is_read=false", bob)
    assert [item["id"] for item in unread["items"]] == [ids[3]]


async def test_a_delete_tells_every_device_the_id_and_nothing_else(system: System, devices: Devices) -> None:
    """`inbox:deleted` carries exactly the id."""
    first, _ = await items_for(system, devices, "one", "two")
    deleted = await system.ask("DELETE", f"{system.inbox}/items/{first}", devices[0].user)
    assert deleted.status_code == 204
    for device in devices[:2]:
        assert (await device.event("inbox:deleted"))["data"] == {"id": first}
        await device.event("inbox:unread", unread_count=1)
    heard = await system.heard(*devices)
    assert [names(frames) for frames in heard] == [["inbox:deleted", "inbox:unread"]] * 2 + [[]]


@pytest.mark.parametrize(("method", "path"), [("POST", "/read"), ("DELETE", "")])
async def test_an_item_of_somebody_else_is_not_found_and_its_owner_hears_nothing(
    system: System, devices: Devices, method: str, path: str
) -> None:
    """What a stranger tries does not show anywhere."""
    [item] = await items_for(system, devices, "one")
    refused = await system.ask(method, f"{system.inbox}/items/{item}{path}", devices[2].user)
    assert refused.status_code == 404
    assert await system.heard(*devices) == [[], [], []]
