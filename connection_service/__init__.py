"""Pairs, daily questions, answers."""
