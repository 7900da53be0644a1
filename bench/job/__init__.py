"""Owns the benchmark of the whole job: from a request until everybody's frames are there, Tandem and the old design."""
