"""What a gateway says of a socket decides how one event came to it, or why it did not."""

from typing import Any

import pytest

from bus_inspector.delivering import Verdict, Where, conclusion, deliveries

EPOCH = "now"
OPENED = "2026-01-01T12:00:00+00:00"


def socket(
    *, behind: int | None = None, anew_at: int | None = None, live_from: int, reached: int, **more: Any
) -> dict[str, Any]:
    """A socket, as `push_gateway/inspection.py` tells of it; the other source is far ahead."""
    came_with = None if behind is None else {"epoch": EPOCH, "since": 900, "positions": {"inbox": behind, "other": 900}}
    return {
        "opened_at": OPENED,
        "came_with": came_with,
        "anew_at": anew_at,
        "position": live_from,
        "reached": {"inbox": reached, "other": 900},
        **more,
    }


ENDED: dict[str, Any] = {"ended_at": OPENED, "close_code": 1001}


@pytest.mark.parametrize(
    ("seq", "given", "verdict"),
    [
        (31, socket(anew_at=30, live_from=30, reached=50), Verdict.LIVE),
        (50, socket(anew_at=30, live_from=30, reached=50), Verdict.LIVE),
        (51, socket(anew_at=30, live_from=30, reached=50), Verdict.NOT_YET),
        (30, socket(anew_at=30, live_from=30, reached=50), Verdict.ANEW),
        (10, socket(behind=10, live_from=30, reached=50), Verdict.HAD),
        (11, socket(behind=10, live_from=30, reached=50), Verdict.RESUMED),
        (30, socket(behind=10, live_from=30, reached=50), Verdict.RESUMED),
        (31, socket(behind=10, live_from=30, reached=50), Verdict.LIVE),
        # It was told to fetch anew while it caught up, or because the history is another one.
        (20, socket(behind=10, anew_at=40, live_from=40, reached=50), Verdict.ANEW),
        (41, socket(behind=10, anew_at=40, live_from=40, reached=50), Verdict.LIVE),
        (50, socket(anew_at=30, live_from=30, reached=50, **ENDED), Verdict.LIVE),
        (51, socket(anew_at=30, live_from=30, reached=50, **ENDED), Verdict.ENDED),
        (50, socket(anew_at=30, live_from=30, reached=50, epoch="before", **ENDED), Verdict.ENDED),
    ],
)
def test_where_a_socket_began_and_how_far_it_was_sent_decide(seq: int, given: dict[str, Any], verdict: Verdict) -> None:
    """At each border, and on both sides of it."""
    answer = {"gateway": "here", "epoch": EPOCH, "sockets": [] if "ended_at" in given else [given]}
    answer["ended"] = [given] if "ended_at" in given else []
    [delivery] = deliveries(Where(seq, "inbox", EPOCH), [answer])
    assert delivery.verdict is verdict


def test_the_best_that_happened_at_any_socket_is_what_it_comes_to() -> None:
    """Nobody answering is told apart from nobody having a socket."""
    live, anew = socket(anew_at=1, live_from=1, reached=9), socket(anew_at=8, live_from=8, reached=9)
    answers = [
        {"gateway": "one", "epoch": EPOCH, "sockets": [anew], "ended": []},
        {"gateway": "two", "epoch": EPOCH, "sockets": [], "ended": [{**live, **ENDED}]},
    ]
    found = deliveries(Where(5, "inbox", EPOCH), answers)
    assert [(each.gateway, each.verdict) for each in found] == [("one", Verdict.ANEW), ("two", Verdict.LIVE)]
    assert conclusion(found, answers) is Verdict.LIVE
    assert conclusion(found[:1], answers) is Verdict.ANEW
    assert conclusion(deliveries(Where(10, "inbox", EPOCH), answers[1:]), answers) is Verdict.NO_SOCKET
    assert conclusion([], answers) is Verdict.NO_SOCKET
    assert conclusion([], []) is Verdict.NO_GATEWAY
