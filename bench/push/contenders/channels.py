"""Owns the old design as a contender: the consumer of bench/peers/django_channels, on uvicorn and on daphne."""

from collections.abc import Mapping, Sequence

from bench.peers import old_design
from bench.peers.old_design import Kind
from bench.peers.redis import Redis
from bench.push.contender import Opening
from bench.push.contenders.behind_redis import BehindRedis

PACKAGES = ("django", "channels", "channels-redis", "redis", "hiredis")


class Channels(BehindRedis):
    """Sockets alone: the publisher broadcasts what a view or signal would."""

    kind: Kind = "uvicorn"
    name = "channels_uvicorn"
    what = "the old design: Django Channels and channels_redis on uvicorn with uvloop, no database"
    packages = (*PACKAGES, "uvicorn")

    def server(self, port: int) -> Sequence[str]:
        return old_design.web_server(self.kind, port)

    def publisher(self, port: int) -> Sequence[str]:
        return ["-m", "bench.peers.django_channels.publish", str(port)]

    def environment(self, broker: Redis, secret: str) -> Mapping[str, str]:
        return old_design.environment(broker, secret)

    def opening(self, *, resuming: bool = False) -> Opening:  # noqa: ARG002 - it resumes nobody
        return Opening(self._port, "/ws/?token={token}", '"event": "connected"')


class ChannelsDaphne(Channels):
    """The same on the server that Channels comes with."""

    kind: Kind = "daphne"
    name = "channels_daphne"
    what = "the same on daphne"
    packages = (*PACKAGES, "daphne")
