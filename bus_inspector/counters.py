"""Owns asking how far inbox_service's consumer is."""

from typing import Any

from bus_inspector.errors import Missing
from bus_inspector.reach import Reach
from bus_inspector.reading import ask_jetstream
from chassis.bus import Bus
from contracts.subjects import INBOX_CONSUMER


async def consumer_counters(reach: Reach, bus: Bus) -> dict[str, Any]:
    """How far it is; see "Consumer Info" in NATS's documentation.

    Raises:
        Away: nobody answers.
        Missing: there is no such consumer.
    """
    name = reach.events(bus).name
    answer = await ask_jetstream(bus.client, f"$JS.API.CONSUMER.INFO.{name}.{INBOX_CONSUMER}")
    if "error" in answer:
        raise Missing(f"the consumer {INBOX_CONSUMER}: {answer['error'].get('description')}")
    return {
        "consumer": INBOX_CONSUMER,
        "delivered_seq": answer["delivered"]["stream_seq"],
        "acknowledged_seq": answer["ack_floor"]["stream_seq"],
        "waiting": answer["num_pending"],
        "unacknowledged": answer["num_ack_pending"],
        "redelivered": answer["num_redelivered"],
        "pulling": answer.get("num_waiting", 0),
    }
