"""Owns how a JSON Schema is written down for people: the type of a value, a table of fields, an example."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
Schemas = Mapping[str, Schema]

BY_FORMAT = {
    "uuid": "0198c5a2-6d7e-7c31-9d0a-3f1b2c4d5e6f",
    "date-time": "2026-03-01T21:30:00Z",
    "date": "2026-03-01",
}
BY_FIELD = {
    "body": "The sea.",
    "epoch": "0198c5a2",
    "heartbeat": 25,
    "members": ["alice", "bob"],
    "question": "What made you smile today?",
    "recipient_id": "bob",
    "seq": 42,
    "text": "The sea.",
    "title": "alice answered",
    "user_id": "bob",
    "whole": 42,
}
"""What an example says, in preference to what is only of the right type."""


def name_of(reference: str) -> str:
    """What a `$ref` leads to."""
    return reference.rpartition("/")[2]


def references(value: Any) -> Iterator[str]:
    """What the `$ref`s within a part of a document lead to."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        if "$ref" in value:
            yield name_of(value["$ref"])
        for part in value.values():
            yield from references(part)


def kind(schema: Schema) -> str:
    """The type of a value in a few words, with links to the shapes of the same page."""
    match schema:
        case {"$ref": reference}:
            name = name_of(reference)
            return f"[{name}](#{name.lower()})"
        case {"const": value}:
            return f"`{json.dumps(value)}`"
        case {"enum": values}:
            return ", ".join(f"`{json.dumps(value)}`" for value in values)
        case {"anyOf": choices}:
            return " or ".join(kind(choice) for choice in choices)
        case {"type": "array"}:
            return f"array of {kind(schema.get('items', {}))}"
        case {"type": "string", "format": form}:
            return f"string ({form})"
    return str(schema.get("type", "anything"))


def fields(schema: Schema) -> list[str]:
    """The lines of a table of an object's fields; none for an object without any."""
    properties: Schemas = schema.get("properties", {})
    if not properties:
        return []
    required = schema.get("required", [])
    rows = [
        row(f"`{name}`", kind(value), "" if name in required else "may be missing", meaning(value))
        for name, value in properties.items()
    ]
    return [*head("field", "type", "", "meaning"), *rows]


def meaning(schema: Schema) -> str:
    """What a schema says about a value, and between which bounds it lies."""
    bounds = {
        "minLength": "length from {}",
        "maxLength": "length up to {}",
        "minimum": "at least {}",
        "maximum": "at most {}",
        "pattern": "matches `{}`",
        "default": "`{}` if not given",
    }
    parts = [schema["description"]] if "description" in schema else []
    of_value = [schema, *schema.get("anyOf", [])]
    for word, sentence in bounds.items():
        parts += [sentence.format(each[word]) for each in of_value if each.get(word) not in (None, "", [], {})]
    return "; ".join(parts)


def example(schema: Schema, schemas: Schemas) -> Any:
    """A value of that shape, with all that it may have."""
    match schema:
        case {"$ref": reference}:
            return example(schemas[name_of(reference)], schemas)
        case {"const": value} | {"examples": [value, *_]}:
            return value
        case {"anyOf": [first, *_]}:
            return example(first, schemas)
        case {"type": "object"}:
            values: Schemas = schema.get("properties", {})
            return {name: BY_FIELD.get(name) or example(value, schemas) for name, value in values.items()}
        case {"type": "array"}:
            return [example(schema["items"], schemas)]
        case {"type": "string"}:
            return BY_FORMAT.get(schema.get("format", ""), "...")
    return {"integer": 1, "boolean": False}[schema["type"]]


def head(*columns: str) -> list[str]:
    """The first two lines of a table."""
    return [row(*columns), "|" + "---|" * len(columns)]


def row(*cells: str) -> str:
    """A line of a table; a `|` in a cell would end it."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
