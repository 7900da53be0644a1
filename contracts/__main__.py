"""Owns the folder `schemas/`: writes the documents there, and with `--check` says what is stale in it."""

import argparse
import json
import sys
from pathlib import Path

from contracts.asyncapi import asyncapi
from contracts.documents import json_schemas

FOLDER = Path(__file__).with_name("schemas")


def documents() -> dict[str, str]:
    """The text of every document by its file name."""
    named = json_schemas() | {"asyncapi": asyncapi()}
    return {
        f"{name}.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in named.items()
    }


def complaints(folder: Path) -> list[str]:
    """What is stale, missing or superfluous in `folder`, a line a file; nothing if all is as it should be."""
    expected = documents()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(
        [f"{name} is missing" for name in expected.keys() - found.keys()]
        + [f"{name} is superfluous" for name in found.keys() - expected.keys()]
        + [f"{name} is stale" for name in expected.keys() & found.keys() if expected[name] != found[name]]
    )


def write(folder: Path) -> None:
    """Make `folder` hold every document and no other JSON file."""
    expected = documents()
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.json"):
        if path.name not in expected:
            path.unlink()
    for name, text in expected.items():
        (folder / name).write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m contracts", description="Write the contracts' documents.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not as it should be")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the documents are (default: %(default)s)")
    options = parser.parse_args(arguments)
    if not options.check:
        write(options.folder)
        return 0
    wrong = complaints(options.folder)
    for complaint in wrong:
        print(complaint, file=sys.stderr)
    if wrong:
        print("run `python -m contracts` and commit what it writes", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
