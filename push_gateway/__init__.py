"""NATS to WebSocket. Keeps nothing: no database, no disk."""
