"""Owns the judgement what a gateway did with an event: from what it says of its sockets, without a word on each frame.

A socket is sent everything behind where it began, in order; so where it began, where it took part in the live feed and
how far it was sent say of any one event whether it was among that, and in which way.
"""

import datetime as dt
import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bus_inspector.output import cell


class Verdict(enum.StrEnum):
    """What became of one event at one socket, or of one event at all sockets of its user; the best comes first."""

    LIVE = "delivered live"
    RESUMED = "delivered on resume"
    HAD = "had it already"
    ANEW = "told to fetch anew instead"
    NOT_YET = "not sent yet"
    NO_FRAME = "no frame: a copy for readers of the stream"
    NO_SOCKET = "no socket"
    NO_GATEWAY = "no gateway answers"
    ENDED = "ended without it"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of an event at one socket; `told` says how that is known."""

    gateway: str
    verdict: Verdict
    told: str


@dataclass(frozen=True, slots=True)
class Where:
    """An event's place: its sequence means something in this epoch only."""

    seq: int
    source: str
    epoch: str


def deliveries(where: Where, answers: Iterable[Mapping[str, Any]]) -> list[Delivery]:
    """What became of an event at each socket that its user has or had."""
    found = []
    for answer in answers:
        for socket in (*answer.get("sockets", ()), *answer.get("ended", ())):
            verdict = _verdict(where, socket, epoch=socket.get("epoch", answer["epoch"]))
            found.append(Delivery(answer["gateway"], verdict, _told(where, socket)))
    return found


def conclusion(found: Sequence[Delivery], answers: Sequence[Mapping[str, Any]]) -> Verdict:
    """What became of an event for its user: the best that happened at any socket."""
    if not answers:
        return Verdict.NO_GATEWAY
    verdicts = {delivery.verdict for delivery in found}
    return next((verdict for verdict in Verdict if verdict in verdicts - {Verdict.ENDED}), Verdict.NO_SOCKET)


def _verdict(where: Where, socket: Mapping[str, Any], *, epoch: str) -> Verdict:
    ended = "ended_at" in socket
    not_sent = Verdict.ENDED if ended else Verdict.NOT_YET
    if epoch != where.epoch:  # its numbers say nothing here; if it is open, it will be told of the new history
        return not_sent
    if (anew_at := socket["anew_at"]) is not None and where.seq <= anew_at:
        return Verdict.ANEW
    came_with = socket["came_with"]
    if anew_at is None and came_with is not None and where.seq <= came_with["positions"][where.source]:
        return Verdict.HAD
    if where.seq <= socket["position"]:
        return Verdict.RESUMED
    if where.seq <= socket["reached"][where.source]:
        return Verdict.LIVE
    return not_sent


def _told(where: Where, socket: Mapping[str, Any]) -> str:
    came_with, anew_at = socket["came_with"], socket["anew_at"]
    parts = [f"opened {_time(socket['opened_at'])}"]
    if came_with is None:
        parts.append("without a cursor")
    else:
        parts.append(f"behind {came_with['positions'][where.source]}")
    if anew_at is not None:
        parts.append(f"told at {anew_at} to fetch anew")
    parts.append(f"live from {socket['position']}")
    parts.append(f"sent up to {socket['reached'][where.source]}")
    if unsent := socket.get("unsent_bytes"):
        parts.append(f"of which {unsent} bytes wait for the client")
    if "ended_at" in socket:
        parts.append(f"closed {_time(socket['ended_at'])} with {socket['close_code']}")
    return ", ".join(parts)


def _time(text: str) -> str:
    return cell(dt.datetime.fromisoformat(text))
