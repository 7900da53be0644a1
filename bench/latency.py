"""Measures how long an answer takes to reach the partner's screen, on a system that does nothing else.

`make latency` runs it against the system that `make run` has started; it finds that one by the same variables,
INBOX_PORT, CONNECTION_PORT and PUSH_PORT. It makes pairs of new users, opens a socket for each of the two, and has
them answer one after another: the next answer is given only when the one before has arrived in full. The clock
starts just before the POST is sent and stops when the partner's socket hands the frame over, in this process, so what
Python needs on the client's side is in the figures too.
"""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from contracts.frames import BEARER_PREFIX, PATH, SUBPROTOCOL
from devstack.errors import StackError
from devstack.ports import HOST
from devstack.settings import read

ANSWERS = 200

WARM_UP = 20
"""Answers before the measured ones: a pool opens its connections, and a server compiles its plans, only when used."""

DEADLINE = 10.0
"""Seconds for one answer to arrive in full; far more than it takes on any machine that is worth measuring."""

LAST_FRAME = "inbox:unread"
"""What the partner gets last."""

OWN_FRAME = "connection_answer:created"
"""What the author gets."""

WIDTH = 62
"""Characters of the table's first column."""


@dataclass(frozen=True)
class Figure:
    """One line of the table: what is measured, and where its milliseconds are in an `Arrival`."""

    name: str
    of: Callable[["Arrival"], float]


@dataclass(frozen=True)
class Arrival:
    """One answer's times in milliseconds since just before its POST: its response, and each of the partner's frames."""

    posted: float
    frames: dict[str, float]


FIGURES = (
    Figure("the POST's own response", lambda arrival: arrival.posted),
    Figure("the partner's connection_answer:created", lambda arrival: arrival.frames["connection_answer:created"]),
    Figure("the partner's inbox:created", lambda arrival: arrival.frames["inbox:created"]),
)


class Place:
    """The running system."""

    def __init__(self, http: httpx.AsyncClient, ports: dict[str, int]) -> None:
        self._http = http
        self._connection = f"http://{HOST}:{ports['CONNECTION_PORT']}"
        self._push = f"ws://{HOST}:{ports['PUSH_PORT']}{PATH}"

    def request(self, method: str, path: str, token: str | None = None, **body: str) -> httpx.Request:
        """A request to connection_service, ready to be sent."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._http.build_request(method, f"{self._connection}{path}", json=body or None, headers=headers)

    async def told(self, request: httpx.Request) -> Any:
        """What connection_service answers."""
        return (await self._http.send(request)).raise_for_status().json()

    async def pair(self) -> tuple[str, str, str]:
        """Two new partners: the token of each, and the path to which both post their answers."""
        name = secrets.token_hex(6)
        first, second = [
            (await self.told(self.request("POST", "/dev/token", user_id=f"latency-{name}-{number}")))["token"]
            for number in (1, 2)
        ]
        invite = await self.told(self.request("POST", "/v1/partnership/invites", first))
        await self.told(self.request("POST", "/v1/partnership/accept", second, code=invite["code"]))
        today = await self.told(self.request("GET", "/v1/daily-connections/today", first))
        return first, second, f"/v1/daily-connections/{today['id']}/answers"

    @contextlib.asynccontextmanager
    async def socket(self, token: str) -> AsyncIterator[ClientConnection]:
        """A socket that has been greeted."""
        subprotocols = [Subprotocol(SUBPROTOCOL), Subprotocol(f"{BEARER_PREFIX}{token}")]
        async with connect(self._push, subprotocols=subprotocols, compression=None, proxy=None) as socket:
            assert json.loads(await socket.recv())["event"] == "hello", "the first frame"
            yield socket

    async def answer(self, path: str, author: str, own: ClientConnection, partner: ClientConnection) -> Arrival:
        """Have `author` answer, and wait until everything that follows has arrived."""
        arrivals = asyncio.create_task(_arrivals(partner, LAST_FRAME))
        request = self.request("POST", path, author, text="The sea, and that it was quiet for once.")
        before = time.perf_counter()
        response = await self._http.send(request)
        posted = time.perf_counter()
        response.raise_for_status()
        async with asyncio.timeout(DEADLINE):
            frames = await arrivals
            await _arrivals(own, OWN_FRAME)
        return Arrival((posted - before) * 1000, {name: (at - before) * 1000 for name, at in frames.items()})


async def _arrivals(socket: ClientConnection, last: str) -> dict[str, float]:
    """When each frame of one answer arrives, up to the one of the name `last`."""
    frames: dict[str, float] = {}
    while last not in frames:
        frame = await socket.recv()
        at = time.perf_counter()
        frames[json.loads(frame)["event"]] = at
    return frames


async def measure(place: Place, *, answers: int) -> list[Arrival]:
    """Have so many answers given, one after another, by pairs that are made for it."""
    arrivals: list[Arrival] = []
    while len(arrivals) < answers:
        first, second, path = await place.pair()
        async with place.socket(first) as one, place.socket(second) as other:
            arrivals.append(await place.answer(path, first, one, other))
            arrivals.append(await place.answer(path, second, other, one))
    return arrivals


def report(arrivals: Sequence[Arrival]) -> str:
    """The table, and what the README may say."""
    title = f"{len(arrivals)} answers, one after another; ms from before the POST to"
    lines = [title.ljust(WIDTH) + "".join(f"{column:>9}" for column in ("median", "p95", "p99", "max"))]
    medians: list[float] = []
    for figure in FIGURES:
        times = [figure.of(arrival) for arrival in arrivals]
        percentiles = statistics.quantiles(times, n=100, method="inclusive")
        row = (percentiles[49], percentiles[94], percentiles[98], max(times))
        lines.append(f"  {figure.name}".ljust(WIDTH) + "".join(f"{each:9.1f}" for each in row))
        medians.append(percentiles[49])
    _, answered, item = medians
    return "\n".join(lines) + (
        f"\n\nAn answer is on the partner's screen {answered:.1f} ms after it is sent, and in the partner's inbox after"
        f" {item:.1f} ms\n(medians of {len(arrivals)} answers, one after another, on {os.cpu_count()} cores:"
        " `make latency`)."
    )


async def main(answers: int) -> str:
    """Measure the running system."""
    settings = read(os.environ)
    async with httpx.AsyncClient(timeout=DEADLINE) as http:
        place = Place(http, dict(settings.ports))
        await measure(place, answers=WARM_UP)
        return report(await measure(place, answers=answers))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description="How long an answer takes.")
    parser.add_argument("--answers", type=int, default=ANSWERS, help=f"how many are measured; {ANSWERS} if not given")
    arguments = parser.parse_args()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(runner.run(main(arguments.answers)))
    except StackError as error:
        sys.exit(str(error))
    except httpx.ConnectError:
        sys.exit("no system is running on these ports: start one with `make run`")
