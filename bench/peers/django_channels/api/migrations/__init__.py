"""Owns the schema's history."""
