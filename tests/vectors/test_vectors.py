"""The two reducers of the inbox know what the vectors say, and the same as each other whatever else happens."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.vectors.conftest import InBrowser
from tests.vectors.reducer import reduced
from tests.vectors.server import World, courses

pytestmark = pytest.mark.long

COURSES = 250
"""Some of them find a mistake in most of the rules; the vectors have one for each."""

Known = dict[str, Any]


def known_in_truth(world: World) -> dict[str, Any]:
    """What a client must know: the lists as far down as it has fetched them, the count, the suggestions."""
    listed = {}
    for which in ("all", "unread"):
        more, items = world.cursors[which], world.listed(which)
        listed[which] = {
            "items": [item for item in items if more is None or int(item["id"]) >= int(more)],
            "more": more,
        }
    return {**listed, "unread_count": world.unread, "suggestions": list(world.open)}


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    """Courses of events in which anything may have happened, each with the truth at its end."""
    found: list[World] = []

    @settings(
        max_examples=COURSES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(courses())
    def collect(world: World) -> None:
        found.append(world)

    collect()
    return sorted(found, key=lambda world: len(world.steps))  # so that the first to fail is a short one


@pytest.fixture(scope="module")
async def ends(worlds: list[World], in_browser: InBrowser) -> list[Known]:
    """What the library knows at the end of each."""
    return await in_browser([world.steps for world in worlds])


def test_the_python_reducer_knows_what_each_vector_says(vectors: dict[str, dict[str, Any]]) -> None:
    """It was written from the rules alone, so they are complete."""
    assert {name: reduced(vector["steps"]) for name, vector in vectors.items()} == states(vectors)


async def test_the_reducer_of_the_library_knows_what_each_vector_says(
    vectors: dict[str, dict[str, Any]], in_browser: InBrowser
) -> None:
    """In a real browser, and it changes nothing of what it is given."""
    known = await in_browser([vector["steps"] for vector in vectors.values()])
    assert dict(zip(vectors, known, strict=True)) == states(vectors)


def test_both_reducers_know_the_same_after_any_course_of_events(worlds: list[World], ends: list[Known]) -> None:
    """Of two that were written apart, hardly both are wrong in the same way."""
    for world, known in zip(worlds, ends, strict=True):
        assert known == reduced(world.steps), world.steps


def test_whoever_has_heard_everything_knows_the_truth(worlds: list[World], ends: list[Known]) -> None:
    """Whatever was late, repeated, lost and fetched anew on the way."""
    for world, known in zip(worlds, ends, strict=True):
        truth = known_in_truth(world)
        assert {field: known[field] for field in truth} == truth, world.steps


def test_a_vector_is_named_like_its_file_and_says_what_it_is_for(vectors: dict[str, dict[str, Any]]) -> None:
    """Thirty or so, so that the tests above prove something."""
    assert len(vectors) > 30
    for name, vector in vectors.items():
        assert list(vector) == ["name", "description", "steps", "state"], name
        assert vector["name"], name
        assert vector["description"].endswith("."), name


def states(vectors: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What must be known at the end of each."""
    return {name: vector["state"] for name, vector in vectors.items()}
