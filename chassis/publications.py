"""Owns the spans of what a relay publishes: one a message, below the transaction that made the change.

One a batch, with links, would cost less and show nothing: a trace is there to tell where one answer was held up.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from opentelemetry.trace import Span, SpanKind

from chassis import tracing
from chassis.changes import Meaning
from chassis.publisher import Message, Outcome

STREAM_SEQUENCE: Final = "messaging.nats.stream_sequence"


class Publications:
    """What some changes are told as, with the traces that they belong to.

    Attributes:
        messages: all of them, in order; those of a recorded trace name their own span, which their readers go on from.
    """

    def __init__(self, meanings: Sequence[Meaning], *, stream: str) -> None:
        self._spans: dict[int, Span] = {}
        self._stream = stream
        self.messages: list[Message] = []
        for meaning in meanings:
            for message in meaning.messages:
                traceparent = meaning.change.traceparent
                self.messages.append(message if traceparent is None else self._begun(message, traceparent))

    def end(self, outcome: Outcome) -> None:
        """They were published, or not all of them."""
        for number, span in self._spans.items():
            if number < len(outcome.sequences):
                span.set_attribute(STREAM_SEQUENCE, outcome.sequences[number])
            else:
                tracing.failed(span, "not published yet")
            span.end()

    def _begun(self, message: Message, parent: str) -> Message:
        """The message with the header; also if it is only other processes that record spans."""
        attributes = tracing.of_event(message.headers)
        span = tracing.begin(f"publish {self._stream}", SpanKind.PRODUCER, parent=parent, attributes=attributes)
        self._spans[len(self.messages)] = span
        headers = {**message.headers, tracing.TRACEPARENT: tracing.traceparent_of(span) or parent}
        return dataclasses.replace(message, headers=headers)
