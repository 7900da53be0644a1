"""Whether the files are fresh, and the JSON Schemas whole and about everything that is public."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import contracts.__main__ as command
from contracts import events, frames, revocations
from contracts.documents import JSON_SCHEMA, event_frame, json_schemas, public_models
from contracts.events import EVENT_TYPES

every_event = pytest.mark.parametrize("name", EVENT_TYPES)


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object inside `value`, and itself."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from parts(part)


def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(command.FOLDER, tmp_path / "schemas"))


def test_the_checked_in_files_are_fresh() -> None:
    assert command.complaints(command.FOLDER) == []


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_documents_are_the_same_in_every_process(seed: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "contracts", "--check"],
        cwd=command.FOLDER.parents[1],
        env={"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_check_fails_and_names_stale_missing_and_superfluous_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(tmp_path)
    (folder / "Answer.json").write_text((folder / "Answer.json").read_text().replace("author_id", "writer_id"))
    (folder / "InboxItem.json").unlink()
    (folder / "Forgotten.json").write_text("{}")
    assert command.main(["--check", "--folder", str(folder)]) == 1
    said = capsys.readouterr().err
    assert "Answer.json is stale" in said
    assert "InboxItem.json is missing" in said
    assert "Forgotten.json is superfluous" in said
    assert len(said.splitlines()) == 4
    assert (folder / "Forgotten.json").exists()


def test_the_check_is_silent_when_nothing_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--check", "--folder", str(copied(tmp_path))]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_missing_folder_is_a_complaint_about_every_file(tmp_path: Path) -> None:
    assert len(command.complaints(tmp_path / "nowhere")) == len(command.documents())


def test_writing_repairs_whatever_the_check_complains_about(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "Answer.json").write_text("{}")
    (folder / "InboxItem.json").unlink()
    (folder / "Forgotten.json").write_text("{}")
    assert command.main(["--folder", str(folder)]) == 0
    assert command.complaints(folder) == []


def test_every_file_is_json_with_one_line_end_at_its_end() -> None:
    for name, text in command.documents().items():
        assert json.loads(text), name
        assert text.endswith("}\n"), name


def test_every_public_model_has_a_schema() -> None:
    made = {
        value.__name__
        for module in (events, frames, revocations)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, events.Contract)
    }
    in_parts = {"Contract", "EventFrame"}
    of_events = {event_frame(kind).__name__ for kind in EVENT_TYPES.values()}
    assert set(public_models()) == (made - in_parts) | of_events
    assert set(json_schemas()) == set(public_models())


def test_no_two_public_models_share_a_name() -> None:
    assert all(name == schema["title"] for name, schema in json_schemas().items())
    assert len({model.__qualname__ for model in public_models().values()}) == len(public_models())


@pytest.mark.parametrize("name", public_models())
def test_a_schema_stands_alone_and_forbids_no_new_field(name: str) -> None:
    schema = json_schemas()[name]
    assert schema["$schema"] == JSON_SCHEMA
    for part in parts(schema):
        if "$ref" in part:
            assert part["$ref"].removeprefix("#/$defs/") in schema["$defs"]
        assert part.get("additionalProperties", True) is True
        assert part.get("unevaluatedProperties", True) is True


@every_event
def test_the_frame_of_an_event_has_the_events_name_and_data(name: str) -> None:
    schema = json_schemas()[event_frame(EVENT_TYPES[name]).__name__]
    assert schema["properties"]["event"]["const"] == name
    assert schema["properties"]["data"]["$ref"] == f"#/$defs/{EVENT_TYPES[name].data.__name__}"
    assert schema["required"] == ["event", "seq", "id", "data"]


@every_event
def test_a_frame_made_of_a_message_has_the_frames_shape(name: str, examples: dict[str, dict[str, Any]]) -> None:
    frame = frames.event(name.encode(), b"42", b"e-1", json.dumps(examples[name]).encode())
    read = event_frame(EVENT_TYPES[name]).model_validate_json(frame)
    assert isinstance(read.data, EVENT_TYPES[name].data)
