"""Owns the list of all rows of the matrix, in the order in which they run, and the few that `make test` runs."""

from collections.abc import Mapping
from typing import Final

from bench.faults import bus, clients, cluster, cursors, databases, processes, unprocessable

ROWS: Final = (
    *bus.ROWS,
    *processes.ROWS,
    *databases.ROWS,
    *clients.ROWS,
    *cursors.ROWS,
    *unprocessable.ROWS,
    *cluster.ROWS,
)

SELECTION: Final[Mapping[str, str]] = {
    "kill-nats": "what is written meanwhile has nowhere to go, and must wait in the databases, unmarked",
    "failpoint-acked": "what a dead relay has published and not marked is published again, and must not come twice",
    "late-commit": "rows with low ids that become visible late must not be passed over, nor held back",
    "live-copies-lost-then-cut": "a hole must be seen, filled from the stream, and not be skipped by those who resume",
    "gateway-nats-cut": "what a gateway did not hear must reach its sockets once it is back, though nobody hangs up",
    "wrong-epoch": "who comes back with a cursor that proves nothing must be told so, and fetch its state",
}
"""Rows for `make test` and why each of them: the cheapest that try the relay's order, the feed's repair and a resume.
Injected once each, on one nats-server, they take about a minute together."""
