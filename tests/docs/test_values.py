"""Blocks that say what something looks like: each is compared with what it is."""

import ast
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel

from contracts.documents import event_frame
from contracts.events import EVENT_TYPES
from contracts.frames import AuthOperation, HeartbeatFrame, HelloFrame, ResyncFrame
from devstack.binaries import nats_server
from tests.docs.blocks import ROOT, of_language

FRAMES: Mapping[str, type[BaseModel]] = {
    "hello": HelloFrame,
    "heartbeat": HeartbeatFrame,
    "resync": ResyncFrame,
    **{name: event_frame(kind) for name, kind in EVENT_TYPES.items()},
}

EXAMPLES = of_language("docs/reference/events.md", "json")


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_frame_in_the_reference_is_one(text: str) -> None:
    """Of the shape that its name has, and without a field that is not the contract's."""
    said = json.loads(text)
    model: type[BaseModel] = AuthOperation if "op" in said else FRAMES[said["event"]]
    assert json.loads(model.model_validate(said).model_dump_json()) == said


def test_every_frame_that_there_is_stands_in_the_reference() -> None:
    """And the one operation."""
    said = [json.loads(text) for text in EXAMPLES]
    assert {each.get("event") for each in said} == {*FRAMES, None}


def test_a_vector_has_the_fields_of_the_example() -> None:
    """Every one that is checked in."""
    [example] = [json.loads(text) for text in of_language("contracts/vectors/README.md", "json")]
    vectors = [json.loads(path.read_text()) for path in (ROOT / "contracts/vectors").glob("*.json")]
    assert vectors
    for vector in vectors:
        assert {key: type(value) for key, value in vector.items()} == {
            key: type(value) for key, value in example.items()
        }


def test_the_setting_names_a_layer_that_is_there() -> None:
    """Looked for in its module, since Channels is not installed here."""
    [text] = of_language("docs/MIGRATION.md", "python")
    settings: dict[str, dict[str, dict[str, str]]] = {}
    exec(text, {}, settings)  # noqa: S102  # it is ours
    module, _, name = settings["CHANNEL_LAYERS"]["default"]["BACKEND"].rpartition(".")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    assert name in [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("document", ["docs/BUS.md", "docs/SCALING.md"])
def test_the_server_understands_the_configuration(document: str, tmp_path: Path) -> None:
    """It is asked that, and no more."""
    configuration = tmp_path / "nats.conf"
    configuration.write_text("\n".join(of_language(document, "conf")))
    environment = {**os.environ, "ROUTE_PASSWORD": "secret"}
    command: list[str | Path] = [nats_server(), "-t", "-c", configuration]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
