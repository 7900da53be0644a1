"""Owns the list of all rows of the matrix, in the order in which they run."""

from typing import Final

from bench.faults import bus, clients, cluster, cursors, databases, processes, unprocessable

ROWS: Final = (
    *processes.ROWS,
    *databases.ROWS,
    *clients.ROWS,
    *cursors.ROWS,
    *unprocessable.ROWS,
    *bus.ROWS,
    *cluster.ROWS,
)
