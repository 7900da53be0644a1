"""The site: it can be built, whole, and with nothing from elsewhere; the reference says what the contracts say."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from handbook import __main__ as command
from tests.docs.blocks import ROOT, documents

FROM_ELSEWHERE = re.compile(r'<(?:script|img|link)[^>]+(?:src|href)="?(?:https?:)?//[^">]+')


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """What MkDocs says to the documents below `root`."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", site],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A link that leads nowhere, or a page that nothing leads to, would have stopped it."""
    place = tmp_path_factory.mktemp("site")
    done = build(ROOT, place)
    assert done.returncode == 0, done.stderr
    return place


def test_every_document_is_a_page_and_nothing_in_it_is_left_unformatted(site: Path) -> None:
    """A table or a block that is written otherwise than MkDocs reads it would stand there with its marks."""
    pages = [path for path in site.rglob("*.html") if path.name != "404.html"]
    assert len(pages) == len(documents())
    for page in pages:
        text = re.sub(r"<(pre|code|script)\b.*?</\1>", "", page.read_text("utf-8"), flags=re.DOTALL)
        shown = re.sub(r"<[^>]+>", "", text)
        assert [mark for mark in ("```", "|---", "](") if mark in shown] == [], page.name


def test_the_pages_load_nothing_from_elsewhere(site: Path) -> None:
    """No font, no script, no picture: whoever reads is seen by nobody."""
    loaded = [found for page in site.rglob("*.html") for found in FROM_ELSEWHERE.findall(page.read_text("utf-8"))]
    assert loaded == []


def test_what_lies_outside_docs_and_is_linked_to_is_in_the_site(site: Path) -> None:
    """As a page if it is one of the documents, otherwise as it is."""
    assert 'href="CLIENT.html"' in (site / "MIGRATION.html").read_text("utf-8")
    assert (site / "source/deploy/edge/Caddyfile").read_bytes() == (ROOT / "deploy/edge/Caddyfile").read_bytes()


def test_what_leads_nowhere_and_what_nothing_leads_to_stops_the_build(tmp_path: Path) -> None:
    """Links within the site and out of it, to a place on a page, and a page that is missing in `nav`."""
    root = tmp_path / "tandem"
    shutil.copytree(ROOT / "docs", root / "docs")
    for path in ROOT.iterdir():
        if path.name != "docs" and not path.name.startswith("."):
            (root / path.name).symlink_to(path)
    with (root / "docs/START.md").open("a") as document:
        document.write("[1](../web/gone.js) [2](GONE.md) [3](DEPLOY.md#nowhere)")
    (root / "docs/FORGOTTEN.md").write_text("# Forgotten")
    done = build(root, tmp_path / "site")
    assert done.returncode == 1
    assert [name for name in ("gone.js", "GONE.md", "#nowhere", "FORGOTTEN.md") if name not in done.stderr] == []


def test_the_reference_is_fresh() -> None:
    """`make schemas` writes it."""
    assert command.complaints(command.FOLDER) == []


def test_a_page_that_is_stale_or_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And written anew by the command."""
    folder = tmp_path / "reference"
    assert command.main(["--folder", str(folder)]) == 0
    assert command.main(["--check", "--folder", str(folder)]) == 0
    (folder / "http.md").write_text("old")
    stale = next(path for path in folder.iterdir() if path.name != "http.md")
    stale.unlink()
    assert command.main(["--check", "--folder", str(folder)]) == 1
    said = capsys.readouterr().err
    assert "http.md" in said
    assert stale.name in said
    assert len(said.splitlines()) == 2
