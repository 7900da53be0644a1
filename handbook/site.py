"""Owns the site's hooks of MkDocs: files of the repository outside `docs/` are a part of it.

Pages link to such files as they do on GitHub. Those of `PAGES` are pages of the site too; any other is copied as it is,
below `source/`. So nothing is written twice, and a link that leads nowhere fails the build.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "web/README.md": "CLIENT.md",
    "contracts/vectors/README.md": "VECTORS.md",
}
"""Documents of the repository, and where each stands in the site."""

DOCS = "docs/"

LINK = re.compile(r"(\]\()(?!https?:|#)([^)#\s]+)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add what lies outside `docs/`: the pages, and whatever pages link to."""
    root = _root(config)
    for path, place in PAGES.items():
        files.append(_borrowed(config, root / path, place))
    documents = [root / path for path in PAGES] + [Path(str(file.abs_src_path)) for file in files.documentation_pages()]
    for document in documents:
        for _, target in LINK.findall(document.read_text("utf-8")):
            path = _within(root, document, target)
            place = _place(path)
            if (root / path).is_file() and files.get_file_from_path(place) is None:
                files.append(_borrowed(config, root / path, place))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Let links lead to where their files stand in the site."""
    root, here = _root(config), posixpath.dirname(page.file.src_uri)
    document = Path(str(page.file.abs_src_path))

    def moved(link: re.Match[str]) -> str:
        place = _place(_within(root, document, link[2]))
        return link[1] + posixpath.relpath(place, here or ".")

    return LINK.sub(moved, markdown)


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent


def _borrowed(config: MkDocsConfig, path: Path, place: str) -> File:
    return File.generated(config, place, abs_src_path=str(path))


def _within(root: Path, document: Path, target: str) -> str:
    """The path from the root of what a document links to."""
    return posixpath.normpath(posixpath.join(document.parent.relative_to(root).as_posix(), target))


def _place(path: str) -> str:
    """Where a file of the repository stands in the site."""
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return PAGES.get(path, f"source/{path}")
