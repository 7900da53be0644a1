"""Owns the kinds of systems: the same services, on one nats-server or on three, on a disk large or small."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devstack.bus_keys import BusKeys
from devstack.nats import Nats, cluster
from devstack.output import Sink
from devstack.ports import free_port


@dataclass(frozen=True)
class Kind:
    """What the bus of a system runs on.

    Attributes:
        servers: nats-servers, each of which stores every event.
        disk: MiB of the disk that holds what they store and nothing else; None: it is on everybody's disk.
    """

    servers: int = 1
    disk: int | None = None

    def nats(self, folder: Path, *, keys: BusKeys, sink: Sink) -> list[Nats]:
        """The servers, which store what they must in `folder`."""
        if self.servers == 1:
            return [Nats(folder, free_port(), keys=keys, sink=sink)]
        return cluster(folder, [(free_port(), free_port()) for _ in range(self.servers)], keys=keys, sink=sink)


ALONE: Final = Kind()
CLUSTER: Final = Kind(servers=3)
SMALL_DISK: Final = Kind(disk=64)
