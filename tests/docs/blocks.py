"""Owns the blocks of code in the documents: where each stands, in which language, what it says."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handbook.site import PAGES

ROOT = Path(__file__).parents[2]

FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)

SHELL = "sh"
SPELLINGS = {"": SHELL, "bash": SHELL, "console": SHELL}
"""A block without a language is typed into a shell."""

OUTPUT = "text"
"""What a program prints, or what a picture would show: nobody types it."""


@dataclass(frozen=True)
class Block:
    """One block.

    Attributes:
        document: its path from the root of the repository.
        line: where it begins.
    """

    document: str
    line: int
    language: str
    text: str


def documents() -> list[str]:
    """All that is a page of the site, from the root of the repository."""
    return [*PAGES, *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md")))]


def blocks(document: str) -> list[Block]:
    """The blocks of a document, in their order, without those that show output."""
    return [block for block in _found(document, (ROOT / document).read_text("utf-8")) if block.language != OUTPUT]


def of_language(document: str, language: str) -> list[str]:
    """The texts of a document's blocks in a language, in their order."""
    return [block.text for block in blocks(document) if block.language == language]


def _found(document: str, text: str) -> Iterator[Block]:
    for match in FENCED.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        language = SPELLINGS.get(match[2], match[2])
        yield Block(document, line, language, textwrap.dedent(match[3]))
