"""Owns the one app of the old design."""
