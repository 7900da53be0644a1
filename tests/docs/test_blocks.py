"""Every command and every sample of code in the documents is run by a test, or it is said why not."""

import pytest

from tests.docs.blocks import ROOT, Block, blocks, documents
from tests.docs.not_run import NOT_RUN, NotRun
from tests.docs.runners import RUN_BY
from tests.test_docs import functions_in

BLOCKS = [block for document in documents() for block in blocks(document)]


def unrun(block: Block) -> bool:
    """Whether it is among those that cannot be run."""
    return any((each.document, each.text) == (block.document, block.text) for each in NOT_RUN)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.document}:{block.line}")
def test_every_block_is_run_by_a_test_or_said_not_to_be(block: Block) -> None:
    """By a test that is there. Output is marked as `text`."""
    if unrun(block):
        return
    place = (block.document, block.language)
    assert place in RUN_BY, f"no test runs {block.document}:{block.line}: see tests/docs/runners.py"
    file, _, name = RUN_BY[place].partition("::")
    assert name in functions_in(ROOT / file)


def test_every_runner_has_something_to_run() -> None:
    """Of each document and language that it is said to run."""
    assert set(RUN_BY) <= {(block.document, block.language) for block in BLOCKS if not unrun(block)}


@pytest.mark.parametrize("each", NOT_RUN, ids=lambda each: f"{each.document}: {each.text.splitlines()[0]}")
def test_a_block_that_is_not_run_stands_there_and_names_what_there_is(each: NotRun) -> None:
    """Word for word as it is listed."""
    print(f"not run, since {each.why}:\n{each.text}")
    assert each.text in [block.text for block in blocks(each.document)], "it has changed: look whether it is true"
    each.instead(each.text)
