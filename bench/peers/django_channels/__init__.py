"""Owns the old design, rebuilt after its own description: Django, Channels with Redis, DRF, signals that broadcast.

Run as the old design would be run sensibly, with no handicap: one process of an ASGI server, no middleware that it
does not need, a pool of database connections (under ASGI each request has a thread of its own, and without a pool each
would also have a connection of its own), Redis on loopback with hiredis, room for bursts in the channel layer.

It has an environment of its own, `.venv-bench`: nothing here is imported by anything else in this repository.
"""
