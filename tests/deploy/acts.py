"""Owns the table of who may do what on the bus, which docs/BUS.md shows and the tests try."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Guest = Literal["connection", "inbox", "push", "inspector", "operator"]

GUESTS: tuple[Guest, ...] = get_args(Guest)
"""Everybody but the one who may do everything."""


@dataclass(frozen=True)
class Act:
    """Something that one may try, and who may do it."""

    verb: Literal["publish", "subscribe"]
    subject: str
    allowed: frozenset[str]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject}"


def _acts(verb: Literal["publish", "subscribe"], table: str) -> Iterator[Act]:
    for line in table.strip().splitlines():
        subject, *allowed = line.split()
        assert set(allowed) <= set(GUESTS), line
        yield Act(verb, subject, frozenset(allowed))


ACTS: tuple[Act, ...] = (
    *_acts(
        "publish",
        """
        events.alice.connection connection operator
        events.alice.inbox inbox operator
        events.alice.gossip
        push.alice.inbox
        relay.connection connection
        relay.inbox inbox
        deadletters.inbox-service inbox
        deadletters.other
        inspect.push inspector operator
        _INBOX.of.somebody
        _R_.of.somebody push
        $JS.API.INFO
        $JS.API.STREAM.NAMES
        $JS.API.STREAM.INFO.EVENTS connection inbox push inspector operator
        $JS.API.STREAM.CREATE.EVENTS connection inbox
        $JS.API.STREAM.UPDATE.EVENTS connection inbox
        $JS.API.STREAM.DELETE.EVENTS
        $JS.API.STREAM.PURGE.EVENTS
        $JS.API.STREAM.MSG.GET.EVENTS connection inbox push inspector operator
        $JS.API.STREAM.MSG.DELETE.EVENTS
        $JS.API.STREAM.SNAPSHOT.EVENTS
        $JS.API.STREAM.RESTORE.EVENTS
        $JS.API.STREAM.LEADER.STEPDOWN.EVENTS
        $JS.API.STREAM.PEER.REMOVE.EVENTS
        $JS.API.DIRECT.GET.EVENTS push inspector operator
        $JS.API.CONSUMER.CREATE.EVENTS push
        $JS.API.CONSUMER.CREATE.EVENTS.inbox-service
        $JS.API.CONSUMER.DURABLE.CREATE.EVENTS.inbox-service inbox
        $JS.API.CONSUMER.DURABLE.CREATE.EVENTS.other
        $JS.API.CONSUMER.INFO.EVENTS.inbox-service inbox inspector operator
        $JS.API.CONSUMER.DELETE.EVENTS.inbox-service
        $JS.API.CONSUMER.DELETE.EVENTS.other push
        $JS.API.CONSUMER.MSG.NEXT.EVENTS.inbox-service inbox
        $JS.API.CONSUMER.MSG.NEXT.EVENTS.other push
        $JS.API.CONSUMER.PAUSE.EVENTS.inbox-service
        $JS.API.CONSUMER.RESET.EVENTS.inbox-service
        $JS.ACK.EVENTS.inbox-service.1.1.1.1.0 inbox
        $JS.ACK.EVENTS.other.1.1.1.1.0
        $JS.API.STREAM.INFO.DEADLETTERS inbox inspector operator
        $JS.API.STREAM.CREATE.DEADLETTERS inbox
        $JS.API.STREAM.UPDATE.DEADLETTERS inbox
        $JS.API.STREAM.DELETE.DEADLETTERS
        $JS.API.STREAM.PURGE.DEADLETTERS
        $JS.API.STREAM.MSG.GET.DEADLETTERS inspector operator
        $JS.API.STREAM.MSG.DELETE.DEADLETTERS operator
        $JS.API.DIRECT.GET.DEADLETTERS inspector operator
        $JS.API.CONSUMER.CREATE.DEADLETTERS
        revoked.alice connection operator
        $JS.API.STREAM.INFO.REVOCATIONS connection inbox push operator
        $JS.API.STREAM.CREATE.REVOCATIONS connection operator
        $JS.API.STREAM.UPDATE.REVOCATIONS connection operator
        $JS.API.STREAM.DELETE.REVOCATIONS
        $JS.API.STREAM.PURGE.REVOCATIONS
        $JS.API.STREAM.MSG.GET.REVOCATIONS connection inbox push
        $JS.API.STREAM.MSG.DELETE.REVOCATIONS
        $JS.API.DIRECT.GET.REVOCATIONS connection inbox push operator
        $JS.API.CONSUMER.CREATE.REVOCATIONS
        $JS.API.STREAM.CREATE.OTHER
        $SYS.REQ.SERVER.PING
        """,
    ),
    *_acts(
        "subscribe",
        """
        >
        events.>
        events.*.*
        push.>
        push.*.* push inspector operator
        relay.connection connection
        relay.inbox inbox
        deadletters.>
        revoked.>
        inspect.push push
        $JS.API.>
        $JS.ACK.>
        $JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.EVENTS push
        $JS.EVENT.ADVISORY.>
        $SYS.>
        """,
    ),
)


def table() -> str:
    """The table as Markdown has it."""
    lines = [f"| | {' | '.join(GUESTS)} |", f"|---|{'---|' * len(GUESTS)}"]
    for act in ACTS:
        subject = f"{act.verb} `{act.subject}`"
        cells = " | ".join("may" if guest in act.allowed else "refused" for guest in GUESTS)
        lines.append(f"| {subject} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
