"""Owns what the load generator is told: the text of its plan, which `native/plan.h` reads."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.push.contender import Opening, Publishing


def user_name(number: int) -> str:
    """What the load generator calls the user with this number."""
    return f"u{number:06d}"


def write(folder: Path, tokens: Sequence[str], lines: Sequence[str]) -> Path:
    """Write the plan, for a user a token, into `folder`; returns its file."""
    file, secrets = folder / "plan", folder / "tokens"
    secrets.write_text("".join(f"{token}\n" for token in tokens))
    file.write_text("".join(f"{line}\n" for line in (f"users {len(tokens)}", f"tokens {secrets}", *lines)))
    return file


def plan(opening: Opening, publishing: Publishing, again: Opening | None) -> Iterator[str]:
    """The lines that say how sockets are opened, for the first time and again, and how events are published."""
    yield f"port {opening.port}"
    yield from _opening(opening, "")
    yield from _opening(again or opening, "again_")
    yield f"publish {publishing.kind}"
    yield f"publish_port {publishing.port}"
    yield f"connections {publishing.connections}"
    yield f"address {_escaped(publishing.address)}"
    yield f"body {_escaped(publishing.body)}"
    for header in publishing.headers:
        yield f"publish_header {_escaped(header)}"


def _opening(opening: Opening, prefix: str) -> Iterator[str]:
    yield f"{prefix}path {_escaped(opening.path)}"
    for header in opening.headers:
        yield f"{prefix}header {_escaped(header)}"
    for message in opening.messages:
        yield f"{prefix}message {_escaped(message)}"
    yield f"{prefix}greeting {_escaped(opening.greeting)}"
    yield f"{prefix}ping {_escaped(opening.ping)}"
    yield f"{prefix}pong {_escaped(opening.pong)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
