"""`make latency`, of which a test says nothing but that it measures."""

import re
import sys

from tests.system.conftest import ROOT, as_environment
from tests.system.system import System, run


async def test_the_latency_command_prints_a_table_and_a_sentence(system: System) -> None:
    """Every figure is there; what they are is the machine's business."""
    environment = as_environment(system.settings) | {"PYTHONPATH": str(ROOT)}
    printed = await run(sys.executable, "-m", "bench.latency", "--answers", "4", environment=environment)
    for figure in ("the POST's own response", "the partner's connection_answer:created", "the partner's inbox:created"):
        assert re.search(rf"^  {figure}( +\d+\.\d){{4}}$", printed, re.MULTILINE), printed
    assert "(medians of 4 answers" in printed
