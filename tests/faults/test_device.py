"""The device of the fault matrix: with what it comes back."""

import random

from bench.faults.device import Device
from bench.faults.run import UserState


async def nothing(_: str) -> UserState:
    return UserState()


async def test_a_device_that_was_never_greeted_has_no_cursor() -> None:
    """It comes as a new one."""
    device = Device("hers", "alice", "token", ["ws://127.0.0.1:1/"], nothing, random.Random(1))
    assert device.cursor == {}
