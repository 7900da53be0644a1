"""Letting clients in, one in each turn of the event loop."""

import asyncio
import itertools

from push_gateway.admission import Admission


async def test_one_is_let_in_a_turn_and_others_have_theirs_between() -> None:
    """First come, first served."""
    door, seen = Admission(), list[str]()

    async def enter(name: str) -> None:
        await door.turn()
        seen.append(name)

    entering = [asyncio.create_task(enter(str(number))) for number in range(5)]
    while not all(task.done() for task in entering):
        seen.append("live")
        await asyncio.sleep(0)
    let_in = [name for name in seen if name != "live"]
    assert let_in == ["0", "1", "2", "3", "4"]
    assert all("live" in pair for pair in itertools.pairwise(seen))


async def test_whoever_goes_away_while_waiting_holds_up_nobody() -> None:
    """The next one is let in."""
    door = Admission()
    waiting = [asyncio.create_task(door.turn()) for _ in range(4)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[2].cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(waiting[1], waiting[3])
    async with asyncio.timeout(5):
        await door.turn()
