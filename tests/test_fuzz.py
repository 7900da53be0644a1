"""Whatever is sent, everything that reads it does what it says; `make fuzz` tries it for longer."""

import pytest

from tests.fuzzing import TARGETS, fuzz

EXAMPLES = 100
"""Inputs of each target."""


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_does_what_it_must_not(target: str) -> None:
    """Hypothesis shows the smallest one that does."""
    assert fuzz(target, examples=EXAMPLES) >= EXAMPLES // 2
