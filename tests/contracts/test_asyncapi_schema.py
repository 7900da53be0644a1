"""The AsyncAPI document against the specification's own schema, and everything in it that an example can try."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from contracts.asyncapi import asyncapi

DOCUMENT = asyncapi()
SPECIFICATION = Draft7Validator(json.loads((Path(__file__).parent / "asyncapi" / "3.0.0.json").read_text()))

Break = Callable[[dict[str, Any]], object]


def complaints(document: dict[str, Any]) -> list[str]:
    """Where the document is not as AsyncAPI 3.0.0 wants it."""
    return [error.json_path for error in SPECIFICATION.iter_errors(document)]


def test_the_document_is_valid_asyncapi() -> None:
    """As it stands in the repository, too."""
    assert complaints(DOCUMENT) == []
    checked_in = Path(__file__).parents[2] / "contracts" / "schemas" / "asyncapi.json"
    assert complaints(json.loads(checked_in.read_text())) == []


BREAKS: dict[str, Break] = {
    "no title": lambda d: d["info"].pop("title"),
    "a server without a host": lambda d: d["servers"]["bus"].pop("host"),
    "an action that there is not": lambda d: d["operations"]["push_gateway.deliver"].update(action="deliver"),
    "an operation without a channel": lambda d: d["operations"]["push_gateway.deliver"].pop("channel"),
    "a message as a list": lambda d: d["components"]["messages"].update({"frame.hello": []}),
    "an unknown field": lambda d: d["channels"]["socket"].update(adress="/v1/push"),
    "another version": lambda d: d.update(asyncapi="2.6.0"),
    "an unknown security scheme": lambda d: d["components"]["securitySchemes"]["token"].update(type="magic"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_document_that_is_not_is_complained_about(what: str) -> None:
    """So that the test above says something."""
    broken = copy.deepcopy(DOCUMENT)
    BREAKS[what](broken)
    assert complaints(broken) != []


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_schema_in_it_is_a_schema_and_takes_its_own_examples(name: str) -> None:
    """Of the dialect that they are written in, references among each other resolved."""
    schema = DOCUMENT["components"]["schemas"][name]
    Draft202012Validator.check_schema(schema)
    resource = Resource.from_contents(DOCUMENT, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("", resource)
    for field in [schema, *schema.get("properties", {}).values()]:
        for example in field.get("examples", []):
            Draft202012Validator(field, registry=registry).validate(example)
