"""Owns the folder `docs/reference/`: writes its pages, and with `--check` says what is stale in it."""

import argparse
import sys
from pathlib import Path

from contracts.asyncapi import asyncapi
from handbook import events, http

FOLDER = Path(__file__).parents[1] / "docs" / "reference"


def pages() -> dict[str, str]:
    """The text of every page by its file name."""
    texts = {"http": http.page(http.documents()), "events": events.page(asyncapi())}
    return {f"{name}.md": text for name, text in texts.items()}


def complaints(folder: Path) -> list[str]:
    """What is stale or missing in `folder`, a line a file; nothing if all is as it should be."""
    return [
        f"{folder / name} is not what the contracts say"
        for name, text in pages().items()
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != text
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m handbook", description="Write the reference's pages.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is not as it should be")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pages are (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.check:
        wrong = complaints(options.folder)
        sys.stderr.writelines(f"{complaint}: run `make schemas` and commit what it writes\n" for complaint in wrong)
        return 1 if wrong else 0
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (options.folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
