"""Looks at the bus, the databases' captured changes and the gateways, and says what it sees: `python -m bus_inspector`.

It changes nothing but by `dead requeue`, `dead drop` and `bench-publish`, and those say what they did.
"""
