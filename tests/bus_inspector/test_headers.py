"""The inspector reads headers as nats-py does, in less time; fails when an upgrade of nats-py changes how it does."""

import pytest
from nats.aio.client import Client

from bus_inspector.headers import HeaderReader, _key
from devstack.nats import Nats
from tests.conftest import running_bus

BLOCKS = [
    b"ce-id: 1\r\nce-type: inbox:created\r\nNats-Sequence: 7\r\n\r\n",
    b"a:b\r\nA:\tb \r\n  c  :  d\r\na: again\r\n",
    b"no colon\r\n: no name\r\na name: with a blank\r\nn\xc3\xa4me: x\r\nname: \xff\xc3\xa4\r\nempty:\r\n",
    b"a: b: c\r\n",
    b"",
]


@pytest.mark.parametrize("block", BLOCKS)
def test_headers_are_read_as_nats_py_reads_them(block: bytes) -> None:
    """What is odd in them, too; and the second time as the first."""
    theirs, ours = Client._parse_header_lines, HeaderReader._parse_header_lines  # noqa: SLF001
    assert ours(block) == theirs(block)
    assert ours(block) == theirs(block)


async def test_nats_py_reads_headers_with_the_method_that_is_replaced(nats: Nats) -> None:
    """Otherwise nothing would be gained."""
    _key.cache_clear()
    async with running_bus(nats, HeaderReader()) as bus:
        subscription = await bus.client.subscribe("somewhere")
        await bus.client.publish("somewhere", b"", headers={"ce-id": "7"})
        message = await subscription.next_msg(timeout=10)
    assert message.headers == {"ce-id": "7"}
    assert _key.cache_info().currsize >= 1
