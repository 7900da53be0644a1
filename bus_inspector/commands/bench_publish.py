"""Owns `bench-publish`: storing many events, in the way of the relays, to see what the bus and its readers bear."""

import asyncio
import datetime as dt
import time
import uuid
from typing import Annotated, Any

import typer

from bus_inspector.comparing import BENCH_USERS
from bus_inspector.errors import Away
from bus_inspector.output import Output
from bus_inspector.reach import Reach
from bus_inspector.running import Json, run
from chassis.publisher import Message, Publisher
from contracts.cloudevents import Event
from contracts.events import InboxItem
from contracts.subjects import event_subject, user_id

BATCH = 500
"""Events of one atomic batch, as of a relay that has much to do."""

BODY = "x" * 100
"""With the rest of an item some 350 bytes, as of an answer of a sentence or two."""

Count = Annotated[int, typer.Option(min=1, max=10_000_000, help="How many events.")]
Rate = Annotated[int, typer.Option(min=0, max=1_000_000, help="Events a second; 0: as many as it takes.")]
Users = Annotated[int, typer.Option(min=1, max=100_000, help=f"For how many users, called {BENCH_USERS}...")]


def bench_publish(*, count: Count = 10_000, rate: Rate = 0, users: Users = 10, as_json: Json = False) -> None:
    """Store events for users that nobody is. They stay in the stream until they are too old."""
    run(lambda reach, output: _publish(reach, output, count, rate, users), as_json=as_json)


async def _publish(reach: Reach, output: Output, count: int, rate: int, users: int) -> None:
    name = f"{BENCH_USERS}{uuid.uuid4().hex[:8]}"
    sequences: list[int] = []
    async with reach.bus() as bus:
        publisher = Publisher(reach.events(bus))
        began = time.monotonic()
        while len(sequences) < count:
            size = min(BATCH, count - len(sequences))
            outcome = await publisher.publish([_message(name, len(sequences) + n, users) for n in range(size)])
            sequences += outcome.sequences
            if outcome.failure is not None:
                raise Away(f"stored {len(sequences)} of {count} events for {name}...: {outcome.failure}")
            if rate:
                await asyncio.sleep(max(0.0, began + len(sequences) / rate - time.monotonic()))
        seconds = time.monotonic() - began
    _tell(output, name, sequences, seconds)


def _message(name: str, number: int, users: int) -> Message:
    to = user_id(f"{name}-{number % users}")
    now = dt.datetime.now(dt.UTC)
    data = InboxItem(
        id=uuid.UUID(int=number),
        recipient_id=to,
        kind="notice",
        title="bench-publish",
        body=BODY,
        data={},
        is_read=False,
        created_at=now,
        updated_at=now,
    )
    event = Event.of("inbox:created", data, id=str(uuid.uuid4()), user=to, time=now)
    return Message(event.id, event_subject(to, "inbox"), event.headers(), event.body)


def _tell(output: Output, name: str, sequences: list[int], seconds: float) -> None:
    record: dict[str, Any] = {
        "stored": len(sequences),
        "users": name,
        "first_seq": sequences[0],
        "last_seq": sequences[-1],
        "seconds": round(seconds, 3),
        "per_second": round(len(sequences) / seconds),
    }
    if output.as_json:
        output.document(record)
    else:
        output.say(
            f"stored {record['stored']} events for {name}-..., from {record['first_seq']} to {record['last_seq']}, in"
            f" {record['seconds']} s: {record['per_second']} a second"
        )
