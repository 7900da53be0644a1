"""Owns TCP ports on the loopback interface: whether one can be had, and finding one that can."""

import errno
import random
import socket
from collections.abc import Mapping
from typing import Final

from devstack.errors import PortInUse
from devstack.waiting import until

HOST: Final = "127.0.0.1"

FREE_PORTS: Final = range(10_000, 32_000)
"""Below the ports that the kernel gives to outgoing connections (from 32768 on Linux). From among those, a client
that reconnects to a server that is down can be given the server's very port, and then talks to itself."""

_handed_out: set[int] = set()


def keep_to_share(number: int, of: int) -> None:
    """Leave the ports of the others alone: `of` processes on this machine look for free ones, and this is `number`."""
    _handed_out.update(port for port in FREE_PORTS if port % of != number)


def free_port() -> int:
    """A port that nobody listens on, and that this process was not given before."""
    while True:
        port = random.choice(FREE_PORTS)  # noqa: S311 - not a secret
        if port not in _handed_out and refusal(port) is None:
            _handed_out.add(port)
            return port


def refusal(port: int) -> OSError | None:
    """Why we cannot listen on `port`; None if we can."""
    with socket.socket() as probe:
        # As servers do: connections of a server that has just ended are no reason to refuse.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None


async def claim(ports: Mapping[str, int], *, patience: float) -> None:
    """Check that all `ports`, each named by its variable, can be had, waiting up to `patience` seconds for that.

    Raises:
        PortInUse: one of them cannot; the message tells which one and what to do.
    """
    await until(lambda: all(refusal(port) is None for port in ports.values()), within=patience)
    for variable, port in ports.items():
        error = refusal(port)
        if error is not None:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
            raise PortInUse(
                f"port {port} ({variable}) {reason}: stop what listens there, or choose another one, for example"
                f" `make run {variable}={port + 1000 if port < 64_000 else port - 1000}`"
            )
