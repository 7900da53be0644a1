"""The catalogue, and which question comes next."""

import json
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connection_service.questions import load_catalogue, next_question

PAIR = UUID("0198c5a1-0000-7c31-9d0a-3f1b2c4d5e6f")

ids = st.text("abcdefgh", min_size=1, max_size=2)
catalogues = st.frozensets(ids, min_size=1, max_size=12).map(lambda found: dict.fromkeys(found, "?"))


def asked(catalogue: dict[str, str], days: int, used: tuple[str, ...] = (), pair: UUID = PAIR) -> tuple[str, ...]:
    """The ids of the questions of so many days more, the latest first."""
    for _ in range(days):
        used = (next_question(catalogue, used, pair), *used)
    return used


def test_the_catalogue_has_150_questions_or_more() -> None:
    """A pair does not hear one twice within five months."""
    assert len(load_catalogue()) >= 150


def test_no_question_stands_in_the_catalogue_twice() -> None:
    """Neither its id nor its text, however it is written."""
    entries = json.loads(files("connection_service").joinpath("questions.json").read_text("utf-8"))
    assert all(set(entry) == {"id", "text"} for entry in entries)
    words = ["".join(filter(str.isalnum, entry["text"].casefold())) for entry in entries]
    assert [text for text, times in Counter(words).items() if times > 1] == []
    assert len({entry["id"] for entry in entries}) == len(entries) == len(load_catalogue())


@pytest.mark.parametrize("rule", ["id", "ends", "length", "trimmed"])
def test_every_question_is_one_line_that_fits_on_a_phone(rule: str) -> None:
    """And its id is a word that stays the same when the text is corrected."""
    rules: dict[str, Callable[[str, str], bool]] = {
        "id": lambda id_, _: id_.replace("-", "").isalnum() and id_ == id_.lower() and len(id_) <= 40,
        "ends": lambda _, text: text.endswith(("?", ".")),
        "length": lambda _, text: 20 <= len(text) <= 160 and text.isprintable(),
        "trimmed": lambda _, text: text == " ".join(text.split()) and text[0].isupper(),
    }
    assert [id_ for id_, text in load_catalogue().items() if not rules[rule](id_, text)] == []


@given(catalogues, st.lists(ids, max_size=40))
def test_no_question_repeats_within_the_length_of_the_catalogue(catalogue: dict[str, str], used: list[str]) -> None:
    """Whatever was asked before, also from other catalogues: this one had grown or shrunk."""
    question = next_question(catalogue, used, PAIR)
    assert question in catalogue
    assert question not in used[: len(catalogue) - 1]


@given(catalogues, catalogues, st.integers(0, 30))
def test_a_question_that_was_never_asked_comes_before_any_other(
    before: dict[str, str], after: dict[str, str], days: int
) -> None:
    """So a question added to the catalogue is heard soon, by everybody."""
    used = asked(before, days)
    new = set(after) - set(used)
    heard = asked(after, len(new), used)[: len(new)]
    assert set(heard) == new


@given(catalogues, st.integers(0, 5))
def test_after_the_whole_catalogue_it_begins_again_in_the_same_order(catalogue: dict[str, str], rounds: int) -> None:
    """The one that was asked longest ago comes first."""
    length = len(catalogue)
    used = asked(catalogue, length * (rounds + 2))
    assert used[:length] == used[length : 2 * length]
    assert set(used[:length]) == set(catalogue)


@given(catalogues, st.lists(ids, max_size=20))
def test_the_choice_depends_on_nothing_else(catalogue: dict[str, str], used: list[str]) -> None:
    """Two processes that are asked at once choose the same one, in whatever order they read the file."""
    other_way_round = dict(reversed(catalogue.items()))
    assert next_question(catalogue, used, PAIR) == next_question(other_way_round, used, PAIR)


def test_two_partnerships_walk_through_the_catalogue_in_different_orders() -> None:
    """Two friends with different partners cannot tell one another tomorrow's question."""
    catalogue = load_catalogue()
    orders = {asked(catalogue, 5, pair=uuid5(PAIR, str(number))) for number in range(20)}
    assert len(orders) == 20
