"""Owns the messages that a pull consumer holds: taking what arrived, cutting it by trace, giving back what is left."""

from collections.abc import Iterator, Sequence

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from chassis import tracing
from chassis.bus import heeding_cancellation


def by_trace(batch: Sequence[Msg]) -> Iterator[tuple[Sequence[Msg], Sequence[Msg]]]:
    """Cut a batch into parts of one transaction each, in order; each with those that come after it.

    A message of a recorded trace is a part of its own: what its handler writes belongs to that trace, and a transaction
    can belong to one only.
    """
    start = 0
    for number, message in enumerate(batch, start=1):
        if _is_traced(message) or number == len(batch) or _is_traced(batch[number]):
            yield batch[start:number], batch[number:]
            start = number


def _is_traced(message: Msg) -> bool:
    return tracing.recording() and tracing.TRACEPARENT in (message.headers or {})


def names(message: Msg) -> dict[str, str | int]:
    """What a log line says of a message: its event, and whose it is."""
    event_id = (message.headers or {}).get("Nats-Msg-Id", "")
    return {"event_id": event_id, "subject": message.subject, "sequence": message.metadata.sequence.stream}


async def arrived(subscription: Subscription, *, silence: float) -> list[Msg]:
    """All messages that are there, or else the first that comes; none if the server is silent for so many seconds."""
    try:
        with heeding_cancellation():
            messages = [await subscription.next_msg(timeout=silence)]
    except TimeoutError:
        return []
    while subscription.pending_msgs:
        messages.append(await subscription.next_msg())
    return messages


async def give_back(subscription: Subscription, batch: Sequence[Msg]) -> None:
    """Let go of a subscription, and let another process have at once what has not been handled."""
    waiting = [await subscription.next_msg() for _ in range(subscription.pending_msgs)]
    await subscription.unsubscribe()
    for message in (*batch, *waiting):
        if status(message) is None and not message.is_acked:
            await message.nak()


def status(message: Msg) -> str | None:
    """The status of a message that is about the request itself; None for a message from the stream."""
    return (message.headers or {}).get("Status")
