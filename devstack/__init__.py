"""The servers and processes of development and tests: embedded PostgreSQL, embedded NATS, the runner of `make run`.

Never imported by a service: in production both servers are somebody else's. It imports no service either, it starts
them as processes.
"""
