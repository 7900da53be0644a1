"""Owns asking the gateways what they know of a user, or of themselves."""

import json
from typing import Any

import nats.errors

from chassis.bus import Bus
from contracts.subjects import PUSH_INSPECTION, UserId

FIRST = 1.0
"""Seconds for the first gateway's answer: it looks at its own memory, but may be busy with thousands of sockets."""

FURTHER = 0.3
"""Seconds for each further one: nobody knows how many there are."""


async def ask_gateways(bus: Bus, user: UserId | None = None) -> list[dict[str, Any]]:
    """What each gateway says, by their names. For the shape see `push_gateway/inspection.py`."""
    inbox = bus.client.new_inbox()
    subscription = await bus.client.subscribe(inbox)
    request = json.dumps({"user": user} if user is not None else {}).encode()
    answers: list[dict[str, Any]] = []
    try:
        await bus.client.publish(PUSH_INSPECTION, request, reply=inbox)
        while True:
            message = await subscription.next_msg(timeout=FURTHER if answers else FIRST)
            if message.headers and message.headers.get("Status") == "503":  # nobody listens there
                break
            answers.append(json.loads(message.data))
    except (nats.errors.Error, TimeoutError):
        pass  # so many there are
    finally:
        await subscription.unsubscribe()
    return sorted(answers, key=lambda answer: str(answer["gateway"]))
