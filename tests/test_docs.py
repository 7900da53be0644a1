"""The documents say what is true: tests, files and targets that they name are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
LINK = re.compile(r"\]\((?!https?://)([^)#]+)\)")


def functions_in(file: Path) -> set[str]:
    """Names of the functions at the top of a file, and of what is assigned there."""
    names = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return names


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_a_document_names_is_there(document: Path) -> None:
    """A promise is held by a test that runs."""
    for file, name in NAMED_TEST.findall(document.read_text()):
        assert (ROOT / file).is_file(), f"{document.name} names {file}"
        assert name in functions_in(ROOT / file), f"{document.name} names {file}::{name}"


def test_the_promises_name_tests() -> None:
    """So that the test above cannot pass on nothing."""
    assert len(NAMED_TEST.findall((ROOT / "docs" / "RELIABILITY.md").read_text())) > 20


def test_every_point_of_security_names_a_test() -> None:
    """A point without one is a hope."""
    tables = [line for line in (ROOT / "docs" / "SECURITY.md").read_text().splitlines() if line.startswith("| ")]
    points = [line for line in tables if line != "| point | what we do | test |"]
    assert len(points) > 40
    assert [point for point in points if not NAMED_TEST.search(point)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(document: Path) -> None:
    """Also those to pictures."""
    for target in LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_make_target_that_the_readme_names_is_there() -> None:
    """And `make` alone lists it."""
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE)) <= targets


def test_every_variable_that_the_readme_names_is_read_by_a_service() -> None:
    """A name that nobody reads would be set in vain."""
    code = "\n".join(
        file.read_text()
        for package in ("chassis", "connection_service", "inbox_service", "push_gateway")
        for file in sorted((ROOT / package).glob("*settings.py"))
    )
    table = (ROOT / "README.md").read_text().split("| variable | |")[1].split("\n\n")[0]
    for name in re.findall(r"`([A-Z]+_[A-Z_]+)`", table):
        prefix, _, rest = name.partition("_")
        read = f'"{name}"' in code or (f'env_prefix="{prefix}_"' in code and f"{rest.lower()}:" in code)
        assert read or f"{name.lower()}:" in code, f"{name} is read by nobody"
