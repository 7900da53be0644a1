"""The device of the fault matrix: what it makes of a text that it was sent, and with what it comes back."""

import json
import random

import pytest

from bench.faults.device import Device, read
from bench.faults.run import UserState


async def nothing(_: str) -> UserState:
    return UserState()


def test_a_frame_is_what_its_text_says() -> None:
    """With everything in it."""
    frame = {"event": "inbox:deleted", "seq": 4, "id": "e", "data": {"id": ',"data":'}}
    assert read(json.dumps(frame)) == frame


def test_of_a_frame_whose_data_is_not_json_the_rest_is_known() -> None:
    """So that it is known which one it was, and that it was delivered."""
    assert read('{"event":"inbox:deleted","seq":4,"id":"e","data":not JSON}') == {
        "event": "inbox:deleted", "seq": 4, "id": "e",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "nonsense", '{"event":nonsense,"data":5}', '{"event":"hello","seq":4'])
def test_a_text_that_is_no_frame_is_refused(text: str) -> None:
    """That would be the gateway's own fault."""
    with pytest.raises(ValueError, match=r"."):
        read(text)


async def test_a_device_that_was_never_greeted_has_no_cursor() -> None:
    """It comes as a new one."""
    device = Device("hers", "alice", "token", ["ws://127.0.0.1:1/"], nothing, random.Random(1))
    assert device.cursor == {}
