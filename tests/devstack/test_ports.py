"""Ports that can be had, and ports that cannot."""

import asyncio
import socket

import pytest

from devstack.errors import PortInUse
from devstack.ports import FREE_PORTS, HOST, claim, free_port


@pytest.fixture
def taken() -> socket.socket:
    """A socket that listens."""
    return socket.create_server((HOST, free_port()))


async def test_a_port_in_use_is_named_with_its_variable_and_a_way_out(taken: socket.socket) -> None:
    with taken, pytest.raises(PortInUse) as refused:
        await claim({"NATS_PORT": free_port(), "PUSH_PORT": taken.getsockname()[1]}, patience=0)
    port = taken_port(refused.value)
    assert f"port {port} (PUSH_PORT) is in use" in str(refused.value)
    assert f"make run PUSH_PORT={port + 1000}" in str(refused.value)


def taken_port(error: PortInUse) -> int:
    """The port that an error is about."""
    return int(str(error).split()[1])


async def test_a_port_that_is_left_in_time_is_waited_for(taken: socket.socket) -> None:
    ports = {"PUSH_PORT": taken.getsockname()[1]}
    claiming = asyncio.create_task(claim(ports, patience=5))
    await asyncio.sleep(0)  # let it look once
    assert not claiming.done()
    taken.close()
    await claiming


def test_free_ports_are_different_and_not_those_of_outgoing_connections() -> None:
    ports = [free_port() for _ in range(100)]
    assert len(set(ports)) == 100
    assert all(port in FREE_PORTS for port in ports)
