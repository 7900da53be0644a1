"""Moves a team over from Django Channels: what the old system sends to its users is published as events too, and
what both of its sides deliver is compared, user by user.

`mirror.layer` runs within the old system, in whose environment there is nothing of ours: it and what it imports use the
standard library and channels_redis alone. All else runs beside it: `python -m mirror`. See docs/MIGRATION.md.
"""
