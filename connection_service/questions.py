"""Owns the catalogue of questions, and which one comes next."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from uuid import UUID


def load_catalogue() -> dict[str, str]:
    """The questions shipped with this service: text by id."""
    entries = json.loads(files(__package__).joinpath("questions.json").read_text("utf-8"))
    return {entry["id"]: entry["text"] for entry in entries}


def next_question(catalogue: Mapping[str, str], used: Sequence[str], partnership: UUID) -> str:
    """The id of the question to ask next.

    One that this partnership has never had, in an order of its own, so that two friends with different partners do
    not walk through the same list; once all were asked, the one that was asked longest ago.

    Args:
        used: the ids of the questions asked so far, the latest first.
    """
    rank = {question: age for age, question in reversed(list(enumerate(used)))}

    def preference(question: str) -> tuple[int, bytes]:
        return -rank.get(question, len(used)), hashlib.sha256(f"{partnership}{question}".encode()).digest()

    return min(catalogue, key=preference)
