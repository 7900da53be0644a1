"""Owns what Tandem is held against."""
