"""Owns which contenders there are, in the order in which a round takes them."""

from collections.abc import Callable, Mapping
from typing import Final

from bench.push.contender import Contender
from bench.push.contenders.centrifugo import Centrifugo
from bench.push.contenders.channels import Channels, ChannelsDaphne
from bench.push.contenders.floor import Floor
from bench.push.contenders.nats_websocket import NatsWebSocket
from bench.push.contenders.nchan import Nchan
from bench.push.contenders.socketio import SocketIo
from bench.push.contenders.tandem import Tandem, TandemUnsynced

CONTENDERS: Final[Mapping[str, Callable[[], Contender]]] = {
    contender.name: contender
    for contender in (
        Tandem,
        TandemUnsynced,
        Floor,
        NatsWebSocket,
        Centrifugo,
        Nchan,
        SocketIo,
        Channels,
        ChannelsDaphne,
    )
}
"""By name, as ARGS="--contenders ..." takes them."""
