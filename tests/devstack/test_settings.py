"""The environment of `make run`."""

from pathlib import Path

import pytest

from devstack.errors import BadSetting
from devstack.settings import read


def test_without_variables_everything_is_at_its_usual_place() -> None:
    settings = read({})
    assert settings.ports == {"INBOX_PORT": 8001, "CONNECTION_PORT": 8002, "PUSH_PORT": 8003, "NATS_PORT": 4222}
    assert settings.data_dir == Path(".data")


def test_variables_say_where_everything_is() -> None:
    settings = read({"INBOX_PORT": "9001", "NATS_PORT": "", "DATA_DIR": "/somewhere"})
    assert settings.ports["INBOX_PORT"] == 9001
    assert settings.ports["NATS_PORT"] == 4222
    assert settings.data_dir == Path("/somewhere")


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80 01", "http", "8001.0", "٨٠٠١", "9" * 5000])
def test_what_is_not_a_port_is_refused_by_the_name_of_its_variable(text: str) -> None:
    with pytest.raises(BadSetting, match=r"^PUSH_PORT=.* is not a port: give a number from 1 to 65535$"):
        read({"PUSH_PORT": text})


def test_a_port_cannot_be_given_twice() -> None:
    with pytest.raises(BadSetting, match=r"^PUSH_PORT=8001 is INBOX_PORT's port already: give each its own$"):
        read({"PUSH_PORT": "8001"})
