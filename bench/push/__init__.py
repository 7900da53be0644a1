"""Pushing alone: the same load on Tandem's gateway and on its peers, in interleaved rounds."""
